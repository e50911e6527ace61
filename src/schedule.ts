import { newId } from './clock.ts';
import { callerIdsAmong } from './domain/caller-id.ts';
import { chooseChannel, type Sender } from './domain/channel.ts';
import type { Channel, Purpose } from './domain/consent.ts';
import type { By, Event } from './domain/event.ts';
import type { LocalWindow } from './domain/hours.ts';
import type { Patient } from './domain/patient.ts';
import { InputRefusal, NotFoundRefusal } from './domain/refusal.ts';
import * as tasks from './domain/task.ts';
import type { OutboundTask } from './domain/task.ts';
import type { Wanted } from './domain/task-fact.ts';
import { schedule } from './domain/task-progress.ts';
import * as workspaces from './domain/workspace.ts';
import type { PhoneNumber, Service, Workspace } from './domain/workspace.ts';
import { claimKey, findKey } from './idempotency.ts';
import { findService } from './provision.ts';
import { findPatient } from './registry.ts';
import { openSenders, type Asked, type Senders } from './senders.ts';
import type { Transaction, World } from './world.ts';

/** A task that is asked for, checked field by field, before anything named in it is looked up. */
export interface WantedTask {
  patient: { patientId: string } | { patientCanonicalId: string };
  /** Null: the patient's own number, also when it changes. */
  phone: string | null;
  /** Null: the one that is likely to reach the person, and others after failed attempts. */
  channel: Channel | null;
  reason: string;
  goal: string | null;
  purpose: Purpose;
  priority: number;
  /** Null, or an instant that has been: now. */
  scheduledFor: Date | null;
  window: LocalWindow | null;
  validUntil: Date | null;
  maxAttempts: number;
  backoffSeconds: number;
  /** Null: the default service. */
  serviceId: string | null;
  tags: string[];
  metadata: Record<string, string>;
  cancelOn: string[];
  idempotencyKey: string | null;
}

/** A task with the event that scheduled it. */
export interface Scheduled {
  task: OutboundTask;
  event: Event;
  /** True when the idempotency key had already scheduled it. */
  replayed: boolean;
}

const operation = 'scheduleTask';

type Reader = Pick<World, 'query' | 'find' | 'findOne'>;

/** Schedules tasks. */
export function openSchedule({ world }: { world: World }) {
  /**
   * Schedules one task. What is set up wrong is refused now, not when it is due: PATIENT_NOT_FOUND, NOT_FOUND,
   * INVALID_INPUT, DESTINATION_NOT_ALLOWED, NO_NUMBER_AVAILABLE, OUTBOUND_NOT_CONFIGURED; and the IDEMPOTENCY codes.
   */
  async function scheduleTask(wanted: WantedTask, by: By): Promise<Scheduled> {
    const keyed = { ...wanted, operation, input: wanted, by };
    const looking = intentOf(world, wanted, by);
    looking.catch(() => {}); // of no concern where the key has scheduled a task before
    const earlier = await findKey(world, keyed);
    if (earlier) return scheduled(earlier, by);
    const taskId = newId(by.now);
    const intent = await looking;
    const outcome = await world.transact(async (tx) => {
      const known = await claimKey(tx, { ...keyed, resultId: taskId });
      return known ? { known } : addTask(tx, { taskId, intent, by });
    });
    return 'known' in outcome ? scheduled(outcome.known, by) : outcome;
  }

  async function scheduled(taskId: string, by: By): Promise<Scheduled> {
    const where = { workspaceId: { eq: by.workspaceId }, id: { eq: taskId } };
    const task = await world.findOne<OutboundTask>(tasks.table, where);
    const [event] = await world.history(by.workspaceId, taskId);
    if (!task || !event) throw new Error(`task ${taskId} has lost its rows`);
    return { task, event, replayed: true };
  }

  return { scheduleTask };
}

/** Schedules tasks. */
export type Schedule = ReturnType<typeof openSchedule>;

/** Adds a task with its id, in a transaction of somebody else's. */
export function addTask(
  tx: Transaction,
  { taskId, intent, by }: { taskId: string; intent: Wanted; by: By },
): Scheduled {
  const blank = tasks.blank(taskId, by.workspaceId);
  const { row, events } = tx.decide(tasks, blank, schedule(blank, intent), { ...by, correlationId: taskId });
  return { task: row, event: events[0]!, replayed: false };
}

/** Who speaks, and from which numbers. */
export interface Outbound {
  workspace: Workspace | null;
  service: Service;
  senders: Senders;
}

/** What it takes to reach patients of a workspace, however many. Refuses NOT_FOUND and OUTBOUND_NOT_CONFIGURED. */
export async function outboundOf(
  reader: Reader,
  { patientIds, ...who }: Omit<Asked, 'patientId'> & { patientIds: string[] },
): Promise<Outbound> {
  const [workspace, service, senders] = await Promise.all([
    reader.findOne<Workspace>(workspaces.table, { id: { eq: who.workspaceId } }),
    findService(reader, who.serviceId ?? null, who.workspaceId),
    openSenders(
      reader,
      patientIds.map((patientId) => ({ ...who, patientId })),
    ),
  ]);
  return { workspace, service, senders };
}

/** What is wanted, with everything that it names looked up. */
async function intentOf(reader: Reader, wanted: WantedTask, by: By): Promise<Wanted> {
  const { serviceId, purpose } = wanted;
  const outboundFor = (patientId: string) =>
    outboundOf(reader, { workspaceId: by.workspaceId, patientIds: [patientId], serviceId, purpose });
  const finding = findPatient(reader, wanted.patient, by);
  const early = 'patientId' in wanted.patient ? outboundFor(wanted.patient.patientId) : null;
  early?.catch(() => {}); // that there is no such patient is said first
  const patient = await finding;
  const outbound = await (early ?? outboundFor(patient.id));
  return intentFor({ ...wanted, origin: 'TASK' }, { patient, ...outbound }, by);
}

/** Where a task comes from. */
type Lineage = Pick<Wanted, 'origin' | 'derivedFromId' | 'chainId'> & { triggerId?: string };

/** What is wanted, once everything that it names is there. Refuses INVALID_INPUT and DESTINATION_NOT_ALLOWED. */
export function intentFor(
  wanted: Omit<WantedTask, 'patient' | 'idempotencyKey'> & Lineage,
  { patient, workspace, service, senders }: Outbound & { patient: Patient },
  by: By,
): Wanted {
  const { scheduledFor, validUntil, ...all } = wanted;
  const { patient: _patient, idempotencyKey: _key, ...rest } = all as typeof all & Partial<WantedTask>;
  const phone = phoneOf(wanted, patient, workspace);
  const from = new Date(Math.max(scheduledFor?.getTime() ?? 0, by.now.getTime()));
  if (validUntil && validUntil <= from) {
    const message = scheduledFor
      ? 'Must be after scheduledFor, and in the future.'
      : 'Must be in the future.';
    throw faulty('validUntil', message);
  }
  return {
    ...rest,
    patientId: patient.id,
    phone,
    isPhoneNamed: wanted.phone !== null,
    ...senderFor(wanted, patient, { service, senders }),
    isChannelNamed: wanted.channel !== null,
    scheduledFor: from.toISOString(),
    validUntil: validUntil?.toISOString() ?? null,
    serviceId: service.id,
    campaignId: null,
    triggerId: wanted.triggerId ?? null,
    requestedBy: by.actor,
  };
}

function phoneOf(
  { phone: named }: Pick<WantedTask, 'phone'>,
  patient: Patient,
  workspace: Workspace | null,
): string {
  const phone = named ?? patient.phone;
  if (!phone) throw faulty('phone', 'This patient has no number: give one.');
  workspaces.checkReach(workspace, phone, 'phone');
  return phone;
}

/** The channel that is tried first, and our number there. Refuses NO_NUMBER_AVAILABLE. */
function senderFor(
  { channel, purpose }: Pick<WantedTask, 'channel' | 'purpose'>,
  patient: Patient,
  { service, senders }: Pick<Outbound, 'service' | 'senders'>,
): Sender {
  const who = { workspaceId: patient.workspaceId, patientId: patient.id, serviceId: service.id, purpose };
  const choice = senders.choiceOf(who, patient.preferredChannel ?? null);
  const isOpen = (other: Channel) => !patient.blockedChannels.includes(other);
  const named = choice.senders.find((sender) => sender.channel === channel);
  const sender = channel
    ? named
    : (chooseChannel({ ...choice, tried: [], isOpen })?.sender ?? choice.senders[0]);
  if (sender) return sender;
  throw new NotFoundRefusal('NO_NUMBER_AVAILABLE', noSender[channel ?? 'VOICE']);
}

const noSender: Record<Channel, string> = {
  VOICE: 'This workspace has no active number that can place calls. Register one.',
  TEXT: 'This workspace has no active number that can send texts. Register one with text: true.',
  VOICEMAIL:
    'Nothing can leave voicemails here: it takes a use case for voicemail with an active United States number, and a recording named default or for the purpose.',
};

/** The numbers that a service calls from: its own, else those of no service, else any that can. Refuses NO_NUMBER_AVAILABLE. */
export async function callerIdsOf(reader: Pick<World, 'find'>, service: Service): Promise<string[]> {
  const here = { workspaceId: { eq: service.workspaceId }, active: { eq: true } };
  const numbers = await reader.find<PhoneNumber>(workspaces.phoneNumbers, here);
  const callerIds = callerIdsAmong(numbers, service.id);
  if (callerIds.length > 0) return callerIds;
  throw new NotFoundRefusal('NO_NUMBER_AVAILABLE', noSender.VOICE);
}

const faulty = (field: string, message: string) => new InputRefusal([{ path: ['input', field], message }]);
