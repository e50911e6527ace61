/** Histories of attempts as events in the log, made without the domain, and what is to be counted of them. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { newId } from '../../src/clock.ts';
import { localTimeAt } from '../../src/domain/calendar.ts';
import type { World } from '../../src/world.ts';

const zones = ['America/New_York', 'America/Los_Angeles', 'Pacific/Honolulu'] as const;
const start = Date.parse('2026-10-30T00:00:00Z'); // a month ends, and the clocks change on 1 November

/** What came of a call, event by event, and what is to be thought of it. */
const callEnds = {
  open: { events: [], counts: {} },
  rejected: { events: [['call.rejected', {}]], counts: { failed: 1 } },
  busy: { events: [['call.busy', {}]], counts: {}, missed: true },
  'rings out': {
    events: [
      ['call.ringing', {}],
      ['call.no_answer', {}],
    ],
    counts: {},
    missed: true,
  },
  canceled: { events: [['call.canceled', {}]], counts: {} },
  failed: { events: [['call.failed', {}]], counts: { failed: 1 } },
  talking: { events: [['call.answered', {}]], counts: { answered: 1 }, reached: true },
  talked: {
    events: [
      ['call.answered', {}],
      ['call.completed', { durationSeconds: 40 }],
    ],
    counts: { answered: 1, completed: 1, talkSeconds: 40 },
    reached: true,
  },
  'only its end was heard': {
    events: [['call.completed', { durationSeconds: 7, answeredBy: 'HUMAN' }]],
    counts: { answered: 1, completed: 1, talkSeconds: 7 },
    reached: true,
  },
  machine: {
    events: [
      ['call.answered', {}],
      ['call.machine_detected', { answeredBy: 'MACHINE' }],
      ['call.completed', { durationSeconds: 9 }],
    ],
    counts: { completed: 1 },
    missed: true,
  },
  'a machine, as is told late': {
    events: [
      ['call.answered', {}],
      ['call.completed', { durationSeconds: 9 }],
      ['call.outcome_reported', { answeredBy: 'MACHINE', outcome: 'left_message' }],
    ],
    counts: { completed: 1 },
    missed: true,
  },
  stranger: {
    events: [
      ['call.answered', {}],
      ['call.completed', { durationSeconds: 5 }],
      ['call.outcome_reported', { answeredBy: null, outcome: 'wrong_person' }],
    ],
    counts: { answered: 1, completed: 1, talkSeconds: 5 },
    missed: true,
  },
} as const;

const voicemailEnds = {
  pending: { events: [], counts: {} },
  left: { events: [['voicemail.delivered', {}]], counts: { completed: 1 } },
  'not left': { events: [['voicemail.not_delivered', {}]], counts: { failed: 1 } },
  skipped: { events: [['voicemail.skipped', {}]], counts: { failed: 1 } },
} as const;

const textEnds = {
  pending: { events: [], counts: {} },
  delivered: { events: [['message.delivered', {}]], counts: { completed: 1 } },
  undelivered: { events: [['message.undelivered', {}]], counts: { failed: 1 } },
  'delivered and answered twice, and we answer': {
    events: [
      ['message.delivered', {}],
      ['message.received', {}],
      ['message.sent', { isReply: true }],
      ['message.received', {}],
    ],
    counts: { completed: 1 },
    reached: true,
  },
} as const;

interface End {
  events: readonly (readonly [type: string, data: object])[];
  counts: Partial<Record<'answered' | 'completed' | 'failed' | 'talkSeconds', number>>;
  reached?: boolean;
  missed?: boolean;
}
const ends: Record<string, Record<string, End>> = {
  VOICE: callEnds,
  VOICEMAIL: voicemailEnds,
  TEXT: textEnds,
};

/** One attempt as it is made up. */
const story = fc.record({
  channel: fc.constantFrom('VOICE', 'VOICE', 'VOICEMAIL', 'TEXT'),
  end: fc.nat(),
  patient: fc.nat(1),
  zone: fc.constantFrom(...zones),
  minute: fc.nat(5 * 24 * 60),
  purpose: fc.constantFrom('LAB_RESULTS', 'BILLING'),
  tags: fc.subarray(['a', 'b', 'A "quoted" tag']),
  byTask: fc.boolean(),
  /** Another attempt at the task before it, of the same person, if that one goes on; and whether it ends with this one. */
  again: fc.boolean(),
  achieves: fc.boolean(),
});

/** One task that nobody has tried yet, and what has happened to it. */
const plan = fc.record({
  fate: fc.constantFrom('waits', 'snoozed', 'rescheduled', 'on another channel', 'blocked', 'cancelled'),
  zone: fc.constantFrom(...zones),
  minute: fc.nat(5 * 24 * 60),
  later: fc.nat(3 * 24 * 60),
});

/** Attempts, tasks without any, and how their events are mixed in the log. */
export const histories = fc.record({
  stories: fc.array(story, { minLength: 1, maxLength: 25 }),
  plans: fc.array(plan, { maxLength: 8 }),
  order: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
});

/** An attempt or a task as it is to be counted. */
export interface Counted {
  at: Date;
  keys: Record<string, string[]>;
  counts: Record<string, number>;
}

/** An attempt as it is to be counted. */
export interface Expected extends Counted {
  patientId: string;
  channel: string;
  reached: boolean;
  missed: boolean;
  hour: number;
  answeredAt: Date | null;
}

/** One event of a history. */
interface Line {
  entityId: string;
  patientId: string;
  type: string;
  data: object;
  at: Date;
}

const id = () => newId(new Date(start));
const campaignId = id();
const serviceId = id();

const keysAt = (localTime: string) => ({ DAY: [localTime.slice(0, 10)], HOUR: [localTime.slice(11, 13)] });
const noTask = { due: 0, attempted: 0, reached: 0, achieved: 0 };
const noAttempt = {
  attempts: 0,
  answered: 0,
  completed: 0,
  failed: 0,
  voicemails: 0,
  texts: 0,
  talkSeconds: 0,
};

/** A task that goes on: where its events stand, and how it is to be counted. */
interface Chain {
  id: string;
  line: string;
  attempts: number;
  told: Pick<Story, 'purpose' | 'tags'>;
  counted: Counted;
}
type Story = typeof story extends fc.Arbitrary<infer S> ? S : never;
type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never;
type Lines = Map<string, Line[]>;

function add(lines: Lines, line: string, event: Line): void {
  lines.set(line, [...(lines.get(line) ?? []), event]);
}

/** Lays histories out as lines of one entity or one task each, with what is to be counted of each attempt and task. */
export function layOut({ stories, plans }: { stories: Story[]; plans: Plan[] }) {
  const patients = [id(), id()];
  const lines: Lines = new Map();
  const conversations = new Map<string, string>();
  const tried = new Set<Chain>();
  const open = new Map<number, Chain>();
  const attempts = stories.map((told, index): Expected => {
    const { channel, zone, purpose } = told;
    const patientId = patients[told.patient]!;
    // No two attempts begin at once, and a conversation's are in order.
    const at = new Date(start + (channel === 'TEXT' ? index * 3_600_000 : told.minute * 60_000) + index);
    const localTime = localTimeAt(at, zone);
    const isText = channel === 'TEXT';
    const entityId = isText ? (conversations.get(patientId) ?? id()) : id();
    const goesOn = told.again && !isText ? open.get(told.patient) : undefined;
    const begin = () => begun(lines, { told, at, patientId, line: isText ? entityId : id() });
    const chain = told.byTask ? (goesOn ?? begin()) : null;
    if (chain) tried.add(chain);
    if (chain && !isText) open.set(told.patient, chain);
    const taskId = chain?.id ?? null;
    const about = {
      origin: chain ? 'TASK' : 'API',
      purpose: chain?.told.purpose ?? purpose,
      campaignId: chain ? campaignId : null,
    };
    const tags = chain?.told.tags ?? (channel === 'VOICE' ? [...told.tags, ...told.tags] : []);
    const line = isText ? entityId : (chain?.line ?? entityId);
    const say = (type: string, data: object, after = 0) =>
      add(lines, line, { entityId, patientId, type, data, at: new Date(at.getTime() + after * 1000) });
    const messageId = id();
    const decision = { localTime, timeZone: zone };
    if (channel === 'VOICE')
      say('outbound.initiated', { ...about, taskId, tags, decision, serviceId: taskId && serviceId });
    if (channel === 'VOICEMAIL') say('voicemail.requested', { ...about, taskId, decision });
    if (isText) {
      if (!conversations.has(patientId))
        say('conversation.started', { origin: 'PERSON', purpose: 'OTHER', taskId: id() });
      conversations.set(patientId, entityId);
      say('message.sent', { messageId, isReply: false, taskId, decision });
    }
    const kinds = Object.values(ends[channel]!);
    const end = kinds[told.end % kinds.length]!;
    let seconds = 0;
    for (const [type, data] of end.events)
      say(
        type,
        isText
          ? { messageId: type === 'message.sent' || type === 'message.received' ? id() : messageId, ...data }
          : data,
        (seconds += 60),
      );
    if (chain) tell(chain, end.reached ?? false);
    const own = (type: string, data: object) =>
      add(lines, line, { entityId: chain!.id, patientId, type, data, at });
    // What happens to a task that has been tried does not change when it was due, nor that it was.
    if (chain && !told.achieves && told.tags.length === 1)
      own('outbound.snoozed', { nextAttemptAt: new Date(at.getTime() + 26 * 3_600_000) });
    if (chain && !told.achieves && told.tags.length === 2) own('outbound.cancelled', { reason: 'asked' });
    if (chain && told.achieves) {
      own('outbound.completed', {});
      achieve(chain);
      if (open.get(told.patient) === chain) open.delete(told.patient);
    }
    const isBare = isText && !chain;
    return {
      at,
      patientId,
      channel,
      keys: {
        ...keysAt(localTime),
        ATTEMPT: chain ? [String(chain.attempts).padStart(2, '0')] : [],
        CHANNEL: [channel],
        ORIGIN: [about.origin],
        PURPOSE: [isBare ? 'OTHER' : about.purpose],
        CAMPAIGN: chain ? [campaignId] : [],
        SERVICE: chain ? [serviceId] : [],
        TAG: [...new Set(tags)],
      },
      counts: {
        ...noAttempt,
        ...noTask,
        attempts: 1,
        ...end.counts,
        voicemails: Number(channel === 'VOICEMAIL'),
        texts: Number(isText),
      },
      reached: end.reached ?? false,
      missed: end.missed ?? false,
      hour: Number(localTime.slice(11, 13)),
      answeredAt: end.reached ? answerOf(end, at, isText) : null,
    };
  });
  const waiting = plans.flatMap((told, index) => planned(lines, told, index, patients[0]!) ?? []);
  const tasks = [...[...tried].map(({ counted }) => counted), ...waiting];
  return { lines: [...lines.values()], expected: attempts, tasks, patients };
}

/** Schedules a task that is tried later, at the instant before its first attempt. */
function begun(
  lines: Lines,
  { told, at, patientId, line }: { told: Story; at: Date; patientId: string; line: string },
): Chain {
  const [taskId, due] = [id(), new Date(at.getTime() - 90 * 60_000)];
  const { channel, purpose } = told;
  const tags = [...told.tags, ...told.tags];
  const data = { origin: 'TASK', channel, purpose, campaignId, serviceId, tags, scheduledFor: due };
  add(lines, taskId, { entityId: taskId, patientId, type: 'outbound.scheduled', data, at: due });
  const counted = {
    at: due,
    keys: {
      ...keysAt(localTimeAt(due, told.zone)),
      ATTEMPT: [],
      CHANNEL: [channel],
      ORIGIN: ['TASK'],
      PURPOSE: [purpose],
      CAMPAIGN: [campaignId],
      SERVICE: [serviceId],
      TAG: [...new Set(tags)],
    },
    counts: { ...noAttempt, ...noTask, due: 1, attempted: 1 },
  };
  return { id: taskId, line, attempts: 0, told: { purpose, tags: tags }, counted };
}

/** Counts an attempt at a task. */
function tell(chain: Chain, reached: boolean): void {
  chain.attempts += 1;
  if (reached && chain.counted.counts['reached'] === 0) reachedBy(chain);
}

function achieve(chain: Chain): void {
  chain.counted.counts['achieved'] = 1;
  if (chain.counted.counts['reached'] === 0) reachedBy(chain);
}

function reachedBy({ counted, attempts }: Chain): void {
  counted.counts['reached'] = 1;
  counted.keys['ATTEMPT'] = [String(attempts).padStart(2, '0')];
}

/** A task that is not tried: its time moves with it, its day is the person's once a decision has told where they are. */
function planned(
  lines: Lines,
  { fate, zone, minute, later }: Plan,
  index: number,
  patientId: string,
): Counted | null {
  const taskId = id();
  const due = new Date(start + minute * 60_000 + index);
  const then = new Date(due.getTime() + later * 60_000 + 1);
  const say = (type: string, data: object) =>
    add(lines, taskId, { entityId: taskId, patientId, type: `outbound.${type}`, data, at: due });
  say('scheduled', { origin: 'TRIGGER', channel: 'VOICE', purpose: 'BILLING', tags: [], scheduledFor: due });
  if (fate === 'snoozed') say('snoozed', { nextAttemptAt: then });
  if (fate === 'rescheduled') say('rescheduled', { scheduledFor: then, nextAttemptAt: then });
  if (fate === 'on another channel') say('rescheduled', { scheduledFor: due, nextAttemptAt: then });
  if (fate === 'blocked') say('blocked', { decision: { timeZone: zone }, nextAttemptAt: then });
  if (fate === 'cancelled') say('cancelled', { reason: 'asked' });
  if (fate === 'cancelled') return null;
  const at = fate === 'snoozed' || fate === 'rescheduled' ? then : due;
  return {
    at,
    keys: {
      ...(fate === 'blocked' ? keysAt(localTimeAt(at, zone)) : { ...keysAt(at.toISOString()), HOUR: [] }),
      ATTEMPT: [],
      CHANNEL: ['VOICE'],
      ORIGIN: ['TRIGGER'],
      PURPOSE: ['BILLING'],
      CAMPAIGN: [],
      SERVICE: [],
      TAG: [],
    },
    counts: { ...noAttempt, ...noTask, due: 1 },
  };
}

/** When somebody answered: each event comes a minute after the one before. */
function answerOf({ events }: End, at: Date, isText: boolean): Date {
  const types = events.map(([type]) => type);
  const index = types.indexOf(isText ? 'message.received' : 'call.answered');
  if (index >= 0) return new Date(at.getTime() + (index + 1) * 60_000);
  const { durationSeconds } = events[0]![1] as { durationSeconds: number };
  return new Date(at.getTime() + 60_000 - durationSeconds * 1000);
}

/** Mixes the lines, each in its own order; tasks come first, as they do. */
export function mix(lines: Line[][], order: number[]): (Line & { version: number })[] {
  const isTask = (line: Line[]) => line[0]?.type === 'outbound.scheduled';
  const isFirst = ({ type }: Line) => type === 'outbound.scheduled' || type === 'conversation.started';
  // What has begun in a line of its own has its first version there: a task's later events stand among those of its attempts.
  const left = lines.map((line) =>
    line.map((event, index) => ({ ...event, version: index + (isFirst(line[0]!) ? 1 : 2) })),
  );
  const mixed = left.filter(isTask).flat();
  const rest = left.filter((line) => !isTask(line));
  for (let turn = 0; rest.some((line) => line.length > 0); turn += 1) {
    const open = rest.filter((line) => line.length > 0);
    mixed.push(open[order[turn % order.length]! % open.length]!.shift()!);
  }
  return mixed;
}

/** Writes events and gives them their places in the log. */
export async function append(
  world: World,
  workspaceId: string,
  events: (Line & { version: number })[],
): Promise<void> {
  const rows = events.map(({ entityId, patientId, type, data, at, version }) => ({
    id: newId(at),
    entity_id: entityId,
    patient_id: patientId,
    version,
    type,
    data,
    at,
  }));
  await world.query(sql`with added as (
      insert into event (workspace_id, id, entity_type, entity_id, version, type, data, data_hash, patient_id, source, actor,
        confidence, effective_at, recorded_at)
      select ${workspaceId}, id, 'CALL', entity_id, version, type, data, '', patient_id, 'job', 'test', 1, at, at
      from rows from (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as (id uuid, entity_id uuid, patient_id uuid, version int, type text, data jsonb, at timestamptz))
        with ordinality as t(id, entity_id, patient_id, version, type, data, at, place) order by place
      returning workspace_id, position)
    insert into outbox (workspace_id, position) select workspace_id, position from added`);
  while ((await world.sequence(await world.logEnd(), 500)).placed.length > 0);
}

/** Months around all attempts. */
export const span = { since: new Date('2026-09-15T10:20:30Z'), until: new Date('2027-01-05T01:02:03Z') };
