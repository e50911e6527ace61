import { languageFor, type Brief } from './agent-lines.ts';
import { believed } from './belief.ts';
import { localTimeAt } from './calendar.ts';
import type { Call } from './call.ts';
import type { Prepared } from './call-fact.ts';
import { decideRecording } from './call-recording.ts';
import type { Event } from './event.ts';
import { zoneOf } from './gate.ts';
import type { Patient } from './patient.ts';
import { summarize } from './summary.ts';
import type { Service } from './workspace.ts';

/** How many characters the summary of a patient may have: about 1,000 tokens, read by a model in well under a second. */
export const summaryBudget = 4_000;

/** How many characters the instructions may have, variables filled in. */
const instructionsBudget = 16_000;

/** How many characters a greeting may have, variables filled in: half a minute of speech. */
const greetingBudget = 500;

/** The longest line of the summary, in characters. */
const lineBudget = 240;

/** Said when neither the call nor its service has a greeting. */
const defaultGreeting = 'Hello. This is an automated call from your care team.';

/** What a context is made of. */
export interface Material {
  call: Call;
  patient: Patient;
  /** Null: the one that was named is gone. */
  service: Pick<
    Service,
    'name' | 'systemPrompt' | 'greeting' | 'streamUrl' | 'machineMessage' | 'recordsCalls'
  > | null;
  /** What other systems have told of the patient, newest first. */
  happenings: Event[];
  /** Earlier calls to the patient, newest first. */
  earlier: Call[];
  now: Date;
}

/** Types of events that a context is made of. */
export const contextTypes = [
  'appointment.booked',
  'appointment.confirmed',
  'appointment.rescheduled',
  'appointment.cancelled',
  'condition.recorded',
  'medication.prescribed',
  'ext.allergy_recorded',
  'encounter.discharged',
  'lab.result_received',
];

/** Everything that whoever speaks is given: bounded, newest and most relevant first. */
export function assemble(material: Material): Prepared {
  const { call, service } = material;
  const values = valuesFor(material);
  const prompt = call.systemPrompt ?? service?.systemPrompt ?? '';
  const goal = `The goal of this call: ${call.goal ?? call.reason}`;
  return {
    // The goal is what the call is for: a long prompt is cut, not the goal.
    instructions:
      `${fill(prompt, values).slice(0, instructionsBudget - 2_200)}\n\n${fill(goal, values).slice(0, 2_200)}`.trim(),
    greeting: fill(call.welcomeMessage ?? service?.greeting ?? defaultGreeting, values).slice(
      0,
      greetingBudget,
    ),
    patientSummary: summaryOf(material),
    recording: decideRecording({
      isAsked: service?.recordsCalls ?? false,
      patient: material.patient,
      phone: call.phoneTo,
    }),
  };
}

/** What the scripted agent must know; the rest of the context is for whoever thinks freely. */
export function briefFor(
  { call, patient, service }: Pick<Material, 'call' | 'patient' | 'service'>,
  { greeting, recording }: Prepared,
): Brief {
  return {
    greeting,
    machineMessage: service?.machineMessage ?? null,
    organization: service?.name ?? 'your care team',
    callbackNumber: call.phoneFrom,
    patientName: patient.name,
    birthDate: patient.birthDate ?? null,
    language: languageFor(patient.language),
    reason: call.reason,
    goal: call.goal ?? null,
    zone: zoneOf(call.decision),
    tellsNumberFirst: call.basis === 'HEALTHCARE_EXEMPTION',
    isRecordingAnnounced: recording?.announced ?? false,
  };
}

/** What {{…}} may stand for: the call's own variables, then what is known anyway. */
const valuesFor = ({ call, patient, service }: Material): Map<string, string> =>
  new Map([
    ['patientName', patient.name],
    ['firstName', patient.name.split(/\s+/)[0] ?? ''],
    ['serviceName', service?.name ?? ''],
    ['callbackNumber', call.phoneFrom],
    ['reason', call.reason],
    ...Object.entries(call.variables),
  ]);

/** Fills {{name}} in, once: what is filled in is not looked through again. An unknown name leaves nothing behind. */
export const fill = (template: string, values: ReadonlyMap<string, string>): string =>
  template
    .replaceAll(/\{\{\s*([\w.-]{1,64})\s*\}\}/g, (_, name: string) => values.get(name) ?? '')
    .replaceAll(/[^\S\n]+([,.!?])/g, '$1')
    .replaceAll(/[^\S\n]{2,}/g, ' ')
    .trim();

/** A heading with its lines, the most relevant first. */
type Section = [heading: string, lines: string[], most: number];

/** What is known of a patient, in lines, within the budget: what comes first is kept. */
function summaryOf(material: Material): string {
  const { patient, call, now } = material;
  const happenings = standing(material.happenings);
  const sections: Section[] = [
    ['', [personLine(patient), `Local time: ${localTime(call, now)}`], 2],
    ['Upcoming appointments', appointments(happenings, now), 5],
    ['Earlier contacts', material.earlier.map(contactLine), 5],
    ['Preferences', preferences(patient), 4],
    ['Active conditions', distinct(ofType(happenings, 'condition.recorded').filter(isActive).map(named)), 12],
    ['Medications', distinct(ofType(happenings, 'medication.prescribed').filter(isActive).map(named)), 12],
    ['Allergies', distinct(ofType(happenings, 'ext.allergy_recorded').filter(isActive).map(named)), 8],
    ['Recently', recent(happenings), 4],
    ['Known facts', facts(patient), 12],
  ];
  return withinBudget(sections);
}

function withinBudget(sections: Section[]): string {
  const kept: string[] = [];
  let left = summaryBudget;
  for (const [heading, lines, most] of sections) {
    const wanted = lines.filter((line) => line !== '').slice(0, most);
    const block = [
      ...(heading && wanted.length > 0 ? [`${heading}:`] : []),
      ...wanted.map((line) => short(line)),
    ];
    for (const line of block) {
      if (line.length + 1 > left) return kept.join('\n');
      kept.push(line);
      left -= line.length + 1;
    }
  }
  return kept.join('\n');
}

const short = (line: string): string =>
  line.length > lineBudget ? `${line.slice(0, lineBudget - 1)}…` : line;

/** What the clock on the person's wall says. */
export const localTime = ({ decision }: Pick<Call, 'decision'>, now: Date): string =>
  localTimeAt(now, zoneOf(decision));

function personLine({ name, birthDate, language, beliefs }: Patient): string {
  const place = ['city', 'state']
    .map((part) => believed(beliefs, `address.${part}`))
    .filter((part) => part !== null);
  const parts = [
    name,
    ...(birthDate ? [`born ${birthDate}`] : []),
    ...(place.length > 0 ? [`lives in ${place.join(', ')}`] : []),
    ...(language ? [`speaks ${language}`] : []),
  ];
  return parts.join(', ');
}

function preferences({ preferredChannel, blockedChannels, windows }: Patient): string[] {
  const hours = windows.map(({ weekdays, opensAt, closesAt }) => {
    const days = weekdays.length < 7 ? ` on weekdays ${weekdays.join(', ')} (1 is Monday)` : '';
    return `${opensAt} to ${closesAt}${days}`;
  });
  return [
    ...(preferredChannel ? [`Prefers ${preferredChannel.toLowerCase()}`] : []),
    ...(blockedChannels.length > 0 ? [`Does not want ${blockedChannels.join(', ').toLowerCase()}`] : []),
    ...(hours.length > 0 ? [`Wants to be reached ${hours.join('; ')}`] : []),
  ];
}

function contactLine({ queuedAt, reason, status, answeredBy, outcome, summary }: Call): string {
  const end =
    outcome ?? (answeredBy === 'MACHINE' ? 'a machine answered' : status.toLowerCase().replaceAll('_', ' '));
  return `- ${dayOf(queuedAt)} called about: ${reason}; ${end.replaceAll('_', ' ')}${summary ? `. ${summary}` : ''}`;
}

/** Attributes with a place of their own are told there. */
const facts = ({ beliefs }: Patient): string[] =>
  Object.entries(beliefs)
    .filter(
      ([key]) =>
        !['name', 'birthDate', 'phone', 'language', 'timeZone'].includes(key) && !key.startsWith('address.'),
    )
    .toSorted(([, a], [, b]) => (a[0]!.effectiveAt < b[0]!.effectiveAt ? 1 : -1))
    .map(([key, [belief]]) => `- ${key}: ${belief!.value}`);

/** Without what a later event has corrected. */
function standing(happenings: Event[]): Event[] {
  const superseded = new Set(happenings.flatMap(({ supersedesId }) => supersedesId ?? []));
  return happenings.filter(({ id }) => !superseded.has(id));
}

const ofType = (happenings: Event[], type: string): Event[] =>
  happenings.filter((event) => event.type === type);

const textIn = (event: Event, ...keys: string[]): string | null => {
  const data = event.data as Record<string, unknown>;
  const found = keys.map((key) => data[key]).find((value) => typeof value === 'string' && value !== '');
  return (found as string | undefined) ?? null;
};

/** FHIR: clinicalStatus of a condition or an allergy, status of a prescription. */
function isActive(event: Event): boolean {
  const status = textIn(event, 'clinicalStatus', 'status');
  return (
    (status === null || ['active', 'recurrence', 'relapse'].includes(status)) &&
    textIn(event, 'abatedAt') === null
  );
}

const named = (event: Event): string => {
  const name = textIn(event, 'display', 'text', 'name', 'medication', 'condition') ?? summarize(event);
  const more = textIn(event, 'dosageText', 'criticality');
  return `- ${name}${more ? `, ${more}` : ''}`;
};

const recent = (happenings: Event[]): string[] =>
  happenings
    .filter(({ type }) => type === 'encounter.discharged' || type === 'lab.result_received')
    .map((event) => `- ${dayOf(event.effectiveAt)} ${summarize(event)}`);

const timeKeys = ['startsAt', 'startAt', 'start', 'scheduledFor', 'appointmentAt', 'at', 'when', 'date'];
const identityKeys = ['appointmentId', 'id', 'reference', 'canonicalId'];

/** Those to come, the next one first; what was cancelled or moved is told as it is now. */
function appointments(happenings: Event[], now: Date): string[] {
  const seen = new Set<string>();
  const upcoming: { at: number; line: string }[] = [];
  for (const event of happenings.filter(({ type }) => type.startsWith('appointment.'))) {
    const key = textIn(event, ...identityKeys) ?? event.id;
    if (seen.has(key)) continue;
    seen.add(key);
    const time = textIn(event, ...timeKeys);
    const at = time === null ? Number.NaN : Date.parse(time);
    if (event.type === 'appointment.cancelled' || !(at > now.getTime())) continue;
    const what = textIn(event, 'display', 'text', 'with', 'provider', 'title');
    const state = event.type === 'appointment.confirmed' ? ', confirmed' : '';
    upcoming.push({ at, line: `- ${time}${what ? ` ${what}` : ''}${state}` });
  }
  return upcoming.toSorted((a, b) => a.at - b.at).map(({ line }) => line);
}

const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

const distinct = (lines: string[]): string[] => [...new Set(lines)];
