import { newId } from './clock.ts';
import * as calls from './domain/call.ts';
import type { Call } from './domain/call.ts';
import type { Conduct, Outcome, Turn } from './domain/call-fact.ts';
import { noSuchCall, report as reportOn } from './domain/call-progress.ts';
import type { Channel } from './domain/consent.ts';
import * as contacts from './domain/contact.ts';
import type { By } from './domain/event.ts';
import { hashOf } from './domain/hash.ts';
import * as patients from './domain/patient.ts';
import type { Patient } from './domain/patient.ts';
import * as tasks from './domain/task.ts';
import type { OutboundTask } from './domain/task.ts';
import { addTask, intentFor, outboundOf } from './schedule.ts';
import { withdrawUnwanted } from './withdraw.ts';
import type { Transaction, World } from './world.ts';

/** What somebody was promised in a call: "I'll call you back tomorrow at 10 with your results." */
interface Promised {
  /** An instant that has been is now. */
  at: Date;
  reason: string;
  /** Null: the call's own. */
  goal: string | null;
  channel: Channel | null;
}

/** Something that was learned of the patient; confidence 0 to 1. */
interface Learned {
  value: string;
  confidence: number;
}

/** What the agent that held a call tells of it. */
export interface OutcomeReport {
  callId: string;
  outcome: Outcome;
  summary: string | null;
  answeredBy: calls.AnsweredBy | null;
  transcript: Turn[];
  /** Left out: the agent does not tell. */
  conduct?: Conduct;
  promises: Promised[];
  facts: Record<string, Learned>;
  /** Whether the person does not want to be contacted again, on any channel. */
  optOut: boolean;
}

/** How urgent a promise is: more than anything that nobody waits for. */
const promisePriority = 2;

/**
 * Records what came of a call: its outcome, a task for each promise, the facts that were learned, an opt-out; all or
 * nothing. The same report told again answers what the first one made. Refuses NOT_FOUND, ILLEGAL_TRANSITION for another
 * report and for a call that nobody answered, and what `scheduleTask` refuses.
 */
async function reportOutcome(
  world: World,
  report: OutcomeReport,
  by: By,
): Promise<{ call: Call; tasks: OutboundTask[] }> {
  const where = { workspaceId: { eq: by.workspaceId }, id: { eq: report.callId } };
  const known = await world.findOne<Call>(calls.table, where);
  if (!known) throw noSuchCall(report.callId);
  const made = await world.transact((tx) => record(tx, known, { report, by }));
  return made ?? replay(world, known, by);
}

/** Null when it had been told before. Whoever locks a call has its number's lock first, so the order of the rest does not matter. */
async function record(tx: Transaction, known: Call, { report, by }: { report: OutcomeReport; by: By }) {
  const here = { workspaceId: { eq: by.workspaceId } };
  const contact = await tx.lock(contacts, { ...here, id: { eq: known.contactId } });
  const patient = await tx.lock(patients, { ...here, id: { eq: known.patientId } });
  const call = await tx.lock(calls, { ...here, id: { eq: known.id } });
  if (!contact || !patient || !call) throw new Error(`call ${known.id} has lost its rows`);
  const { outcome, summary, answeredBy, transcript, conduct = null } = report;
  const isUnwanted = report.optOut || outcome === 'opted_out';
  const promises = isUnwanted || outcome === 'wrong_person' ? [] : report.promises;
  const taskIds = promises.map(() => newId(by.now));
  const reported = { outcome, summary, answeredBy, transcript, conduct, taskIds, reportHash: hashOf(report) };
  const because = { ...by, correlationId: call.taskId ?? call.id };
  const told = tx.decide(calls, call, reportOn(call, reported), because);
  const [event] = told.events;
  if (!event) return null;
  const caused = { ...because, causationId: event.id };
  learn(tx, patient, report.facts, caused);
  if (outcome === 'wrong_person')
    tx.decide(
      contacts,
      contact,
      contacts.disown(contact, { phone: call.phoneTo, patientId: patient.id }),
      caused,
    );
  if (isUnwanted) await optOut(tx, contact, call, caused);
  return { call: told.row, tasks: await promise(tx, { call, patient, promises, taskIds }, caused) };
}

/** Takes what agents tell of their calls. */
export const openOutcomes = ({ world }: { world: World }) => ({
  report: (report: OutcomeReport, by: By) => reportOutcome(world, report, by),
});

/** Takes what agents tell of their calls. */
export type Outcomes = ReturnType<typeof openOutcomes>;

/** What an agent has heard is believed less than what a system of record says. */
function learn(tx: Transaction, patient: Patient, facts: Record<string, Learned>, by: By): void {
  const heard = Object.entries(facts).map(([key, { value, confidence }]) => ({
    type: 'patient.fact_learned' as const,
    data: { key, value },
    confidence,
    sourceSystem: by.source,
  }));
  tx.decide(patients, patient, heard, by);
}

async function optOut(tx: Transaction, contact: contacts.Contact, call: Call, by: By): Promise<void> {
  const { phoneTo: phone, patientId } = call;
  const revocation = { phone, patientId, channels: null, reason: 'said so in a call' };
  const { events } = tx.decide(contacts, contact, contacts.revoke(contact, revocation), by);
  await withdrawUnwanted(tx, revocation, { event: events[0]!, by });
}

interface Promises {
  call: Call;
  patient: Patient;
  promises: Promised[];
  taskIds: string[];
}

/** Makes a task of each promise, in the call's chain, to the number at which it was made. */
async function promise(tx: Transaction, { call, patient, promises, taskIds }: Promises, by: By) {
  if (promises.length === 0) return [];
  const outbound = await outboundOf(tx, {
    workspaceId: by.workspaceId,
    patientIds: [patient.id],
    serviceId: call.serviceId,
    purpose: call.purpose,
  });
  return promises.map((promised, index) => {
    const wanted = {
      phone: call.phoneTo === patient.phone ? null : call.phoneTo,
      channel: promised.channel,
      reason: promised.reason,
      goal: promised.goal ?? call.goal ?? null,
      purpose: call.purpose,
      priority: promisePriority,
      scheduledFor: promised.at,
      window: null,
      validUntil: null,
      maxAttempts: 3,
      backoffSeconds: 3_600,
      serviceId: call.serviceId ?? null,
      tags: call.tags,
      metadata: call.metadata,
      cancelOn: [],
      origin: 'FOLLOW_THROUGH' as const,
      derivedFromId: call.id,
      chainId: call.chainId,
    };
    const intent = intentFor(wanted, { patient, ...outbound }, by);
    return addTask(tx, { taskId: taskIds[index]!, intent, by }).task;
  });
}

/** What the first report has made. */
async function replay(world: World, { id }: Call, by: By): Promise<{ call: Call; tasks: OutboundTask[] }> {
  const here = { workspaceId: { eq: by.workspaceId } };
  const [call, made, history] = await Promise.all([
    world.findOne<Call>(calls.table, { ...here, id: { eq: id } }),
    world.find<OutboundTask>(tasks.table, { ...here, derivedFromId: { eq: id } }),
    world.history(by.workspaceId, id),
  ]);
  const { taskIds } = history.find(({ type }) => type === 'call.outcome_reported')!.data as {
    taskIds: string[];
  };
  return { call: call!, tasks: taskIds.map((taskId) => made.find((task) => task.id === taskId)!) };
}
