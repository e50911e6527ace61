import type { Event } from './event.ts';

type Data = Record<string, unknown>;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** One line for people, by the event's type. */
const lines: Record<string, (data: Data) => string> = {
  'patient.registered': () => 'Patient registered',
  'patient.updated': (data) =>
    `Demographics updated: ${Object.keys((data['attributes'] as Data | undefined) ?? { tags: 1 }).join(', ')}`,
  'patient.status_changed': (data) => `Status is now ${text(data['status']).toLowerCase()}`,
  'patient.fact_learned': (data) => `Learned ${text(data['key'])}: ${text(data['value'])}`,
  'contact.consent_granted': (data) => `Consent recorded: ${text(data['method'])}`,
  'contact.consent_revoked': (data) => `Consent revoked: ${text(data['reason'])}`,
  'contact.opted_out': (data) => `Asked not to be contacted: ${text(data['reason'])}`,
  'contact.wrong_person': () => 'A stranger answers at this number',
  'contact.attempted': () => 'Attempt begun',
  'contact.attempt_ended': (data) => `Attempt ended: ${words(text(data['endedReason']))}`,
  'outbound.initiated': (data) => `Call requested: ${text(data['reason'])}`,
  'outbound.scheduled': (data) => `Task scheduled: ${text(data['reason'])}`,
  'outbound.rescheduled': () => 'Task rescheduled',
  'outbound.snoozed': () => 'Task snoozed',
  'outbound.blocked': (data) => `Task held back: ${blocksOf(data)}`,
  'outbound.dispatched': (data) => `Attempt ${Number(data['attempt'])} begun`,
  'outbound.running': () => 'Somebody answered the attempt',
  'outbound.attempt_failed': (data) => `Attempt failed: ${words(text(data['outcome']))}`,
  'outbound.completed': () => 'Task completed',
  'outbound.failed': (data) => `Task failed: ${text(data['reason'])}`,
  'outbound.cancelled': (data) => `Task cancelled: ${text(data['reason'])}`,
  'outbound.timed_out': (data) => `Task timed out: ${text(data['reason'])}`,
  'trigger.fired': () => 'Trigger fired',
  'trigger.completed': (data) =>
    data['taskId'] ? 'Trigger created a task' : 'Trigger had nothing to do any more',
  'trigger.failed': (data) => `Trigger created no task: ${text(data['error'])}`,
  'conversation.started': (data) => `Conversation started: ${text(data['reason'])}`,
  'conversation.closed': () => 'Conversation closed',
  'message.sent': () => 'Text written',
  'message.accepted': () => 'Text accepted by the carrier',
  'message.delivered': () => 'Text delivered',
  'message.undelivered': (data) => `Text not delivered: ${words(text(data['reason']))}`,
  'message.received': () => 'They wrote',
  'call.accepted': () => 'Call accepted by the carrier',
  'call.rejected': (data) =>
    `Call refused by the carrier${data['carrierCode'] ? ` (${text(data['carrierCode'])})` : ''}`,
  'call.uncertain': () => "The carrier's answer did not come; finding out",
  'call.ringing': () => 'Ringing',
  'call.context_ready': () => 'The agent is ready',
  'call.answered': () => 'Answered',
  'call.machine_detected': () => 'A machine answered',
  'call.recorded': () => 'The call was recorded',
  'call.recording_stopped': () => 'Recording stopped: they did not want it',
  'call.recording_deleted': () => 'Recordings deleted',
  'call.outcome_reported': (data) => `Outcome: ${words(text(data['outcome']))}`,
  'call.completed': (data) =>
    `Call ended${data['durationSeconds'] === undefined ? '' : ` after ${Number(data['durationSeconds'])} s`}`,
  'call.busy': () => 'Busy',
  'call.no_answer': () => 'No answer',
  'call.failed': (data) => `Call failed: ${words(text(data['endedReason']))}`,
  'call.canceled': () => 'Call canceled',
};

const blocksOf = (data: Data): string =>
  ((data['decision'] as { blocks: string[] } | undefined)?.blocks ?? [])
    .map((block) => block.replaceAll('_', ' ').toLowerCase())
    .join(', ');

/** One line that says what happened; types of other systems are told by what they display. */
export function summarize({ type, data }: Pick<Event, 'type' | 'data'>): string {
  const line = lines[type]?.(data as Data);
  if (line !== undefined) return line;
  const display = text((data as Data)['display']) || text((data as Data)['text']);
  const what = words(type.replace(/^ext\./, '').replaceAll('.', ' '));
  return display ? `${what}: ${display}` : what;
}

const words = (name: string) => {
  const plain = name.replaceAll('_', ' ');
  return plain.charAt(0).toUpperCase() + plain.slice(1);
};
