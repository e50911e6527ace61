import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../test/support/program.ts';
import { testKey } from '../test/support/program.ts';
import type { Random } from './random.ts';

/** Area codes from Boston to Honolulu. */
export const areaCodes = [
  201, 202, 205, 206, 207, 208, 210, 212, 213, 214, 217, 225, 251, 253, 281, 303, 305, 307, 312, 313, 316,
  318, 323, 334, 385, 402, 404, 405, 406, 415, 480, 501, 503, 504, 505, 512, 602, 605, 612, 615, 617, 619,
  701, 702, 713, 801, 808, 816, 907, 915,
];

/** Area codes from Boston to Philadelphia, where members of campaigns are. */
export const memberAreas = [
  332, 347, 646, 718, 917, 929, 516, 631, 845, 914, 934, 215, 267, 484, 610, 717, 781, 857, 978, 508,
];

/** Our own numbers: in an area code where nobody is called. */
const ours = ['+19165550140', '+19165550141', '+19165550142'];

/** Of a hundred numbers, how many answer by the table of simulated people; the others by their lottery. */
const scripted = 85;

/** How many requests are under way at once. */
const atOnce = 12;

/** How many patients one request brings. */
const perRequest = 20;

/** A patient's number, of the whole spread that is simulated. */
export function numberFrom(random: Random, areas: readonly number[]): string {
  const ending = random.below(100) < scripted ? 100 + random.below(24) : 150 + random.below(50);
  return `+1${random.pick(areas)}5550${ending}`;
}

/** What a task is scheduled with. */
export interface Planned {
  patientId: string;
  reason: string;
  scheduledFor: string | null;
  priority: number;
  maxAttempts: number;
  backoffSeconds: number;
  idempotencyKey: string;
}

/** How much is planned, and for when. */
interface Plan {
  count: number;
  /** From when on; a task may be due at any time within the span, in milliseconds, after it. */
  from: Date;
  spanMs: number;
  maxAttempts: number;
}

/** Tasks for these patients; patients take turns, a third of the tasks is due at once. */
export function plan(random: Random, patientIds: readonly string[], wanted: Plan): Planned[] {
  const { count, from, spanMs, maxAttempts } = wanted;
  return Array.from({ length: count }, (_, index) => ({
    patientId: patientIds[index % patientIds.length]!,
    reason: 'Check-up',
    scheduledFor:
      random.below(3) === 0 ? null : new Date(from.getTime() + random.below(spanMs)).toISOString(),
    priority: 1 + random.below(10),
    maxAttempts: 1 + random.below(maxAttempts),
    backoffSeconds: 0,
    idempotencyKey: `chaos ${index}`,
  }));
}

/** A workspace with a service and numbers of ours. */
export async function prepare(url: string): Promise<void> {
  const numbers = ours.map(
    (phone, index) => `n${index}: registerPhoneNumber(input: { phone: "${phone}" }) {
    ... on PhoneNumberPayload { phoneNumber { id } } }`,
  );
  const query = `mutation { createService(input: { name: "Care", systemPrompt: "", greeting: "Hello." }) {
    ... on ServicePayload { service { id } } } ${numbers.join('\n')} }`;
  const { errors } = await ask(url, { query, key: testKey });
  if (errors) throw new Error(JSON.stringify(errors));
}

/** A patient to be. */
export interface Person {
  phone: string;
  tags: string[];
}

/** Registers patients, several at some numbers; answers their ids. */
export async function register(url: string, people: readonly Person[]): Promise<string[]> {
  const begins = Array.from(
    { length: Math.ceil(people.length / perRequest) },
    (_, index) => index * perRequest,
  );
  const ids = new Map<number, string[]>();
  await inParallel(begins, async (begin) => {
    const upserts = people.slice(begin, begin + perRequest).map(
      (
        { phone, tags },
        index,
      ) => `p${index}: upsertPatient(input: { name: "Patient ${begin + index}", phone: "${phone}",
        sourceSystem: "ehr", tags: ${JSON.stringify(tags)} }) { ... on PatientPayload { patient { id } } }`,
    );
    const { data, errors } = await ask(url, { query: `mutation { ${upserts.join('\n')} }`, key: testKey });
    if (errors) throw new Error(JSON.stringify(errors));
    const payloads = Object.values(data as Record<string, { patient: { id: string } }>);
    ids.set(
      begin,
      payloads.map(({ patient }) => patient.id),
    );
  });
  return begins.flatMap((begin) => ids.get(begin) ?? []);
}

/** Does it for each, in order, some of them at once. */
async function inParallel<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = list.values();
  const next = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

const scheduleTask = `mutation ($input: ScheduleTaskInput!) {
  scheduleTask(input: $input) {
    __typename ... on ScheduleTaskPayload { replayed task { id } } ... on Error { code message }
  }
}`;

/** The task that a key has scheduled, by the key; asked for until it is answered. */
export interface Answered {
  readonly taskIds: Map<string, string>;
  /** Refusals, and keys that were answered with two tasks. */
  readonly faults: string[];
  /** How often a request was made again with its key. */
  again: number;
}

/** Schedules everything, several at once; whatever goes wrong is asked for again, with the same key. */
export const schedule = (url: string, planned: readonly Planned[], answered: Answered): Promise<void> =>
  inParallel(planned, (input) => scheduleOne(url, input, answered));

async function scheduleOne(url: string, input: Planned, answered: Answered): Promise<void> {
  for (;;) {
    const answer = await ask(url, { query: scheduleTask, variables: { input }, key: testKey }).catch(
      () => null,
    );
    const told = answer?.data?.scheduleTask as
      { __typename: string; code?: string; task?: { id: string } } | null | undefined;
    if (told?.task) {
      const known = answered.taskIds.get(input.idempotencyKey);
      if (known && known !== told.task.id)
        answered.faults.push(`${input.idempotencyKey} scheduled two tasks`);
      return void answered.taskIds.set(input.idempotencyKey, told.task.id);
    }
    if (told?.code && told.code !== 'IDEMPOTENCY_IN_PROGRESS') {
      return void answered.faults.push(`${input.idempotencyKey} was refused: ${JSON.stringify(told)}`);
    }
    answered.again += 1;
    await sleep(50);
  }
}
