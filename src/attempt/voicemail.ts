import { newId, type Clock } from '../clock.ts';
import { endOfVoicemail } from '../domain/attempt-end.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import type { By } from '../domain/event.ts';
import { CarrierRefusal, StateRefusal } from '../domain/refusal.ts';
import * as tasks from '../domain/task.ts';
import * as voicemails from '../domain/voicemail.ts';
import type { Answer, Fact, Voicemail } from '../domain/voicemail.ts';
import { claimKey, findKey, inProgress, releaseKey } from '../idempotency.ts';
import type { Mailbox } from '../voicemail.ts';
import type { Transaction, World } from '../world.ts';
import { isStale } from './circumstances.ts';
import { conclude } from './conclude.ts';
import { prepare, request, type Requested, type WantedVoicemail } from './voicemail-intent.ts';

/** A voicemail with the event that recorded the request for it. */
export interface Sent extends Requested {
  /** True when the idempotency key had already sent it. */
  replayed: boolean;
}

interface Tools {
  world: World;
  clock: Pick<Clock, 'now'>;
  /** Null: no vendor is configured. */
  mailbox: Mailbox | null;
}

const operation = 'sendVoicemail';

/** Leaves ringless voicemails: the intent is recorded, the vendor asked once, its answer recorded. A drop is a call (C-11). */
export function openVoicemails({ world, clock, mailbox }: Tools) {
  /** Leaves one voicemail. Refuses every code of the contract's SendVoicemailResult. */
  async function sendVoicemail(wanted: WantedVoicemail, by: By): Promise<Sent> {
    const keyed = { ...wanted, operation, input: wanted, by };
    const earlier = await findKey(world, keyed);
    if (earlier) return replay(earlier, by);
    if (!mailbox) throw notConfigured();
    const setting = await prepare(world, wanted, by);
    const voicemailId = newId(by.now);
    const outcome = await world.transact(async (tx) => {
      const known = await claimKey(tx, { ...keyed, resultId: voicemailId });
      return known ? { known } : request(tx, { ...setting, voicemailId, by });
    });
    if ('known' in outcome) return replay(outcome.known, by);
    const free = (tx: Transaction) => releaseKey(tx, by.workspaceId, wanted.idempotencyKey);
    return answered({ ...outcome, voicemail: await ask(outcome, by, free), replayed: false });
  }

  /** Asks the vendor about what is recorded, once, and records its answer; `free` when nothing was sent and it may be asked again. */
  async function ask(
    { voicemail, event }: Requested,
    by: By,
    free?: (tx: Transaction) => Promise<void>,
  ): Promise<Voicemail> {
    const answer = await drop(voicemail);
    const told: By = {
      ...by,
      actor: 'voicemail-vendor',
      source: 'carrier',
      now: clock.now(),
      causationId: event.id,
    };
    const mayTryAgain = answer.outcome === 'rejected' && answer.retryable;
    return record(
      voicemail,
      (current) => voicemails.answer(current, answer),
      told,
      mayTryAgain ? free : undefined,
    );
  }

  /** Asks the vendor, unless the decision has grown old, or the person has said no since: in the meantime others gave it up. */
  async function drop(voicemail: Voicemail): Promise<Answer> {
    if (!mailbox) return unconfigured;
    const where = { workspaceId: { eq: voicemail.workspaceId }, id: { eq: voicemail.contactId } };
    const contact = await world.findOne<Contact>(contacts.table, where);
    const attempt = { ...voicemail, channel: 'VOICEMAIL' as const };
    if (contact && contacts.isUnwanted(contact, attempt)) return unwanted;
    return isStale(voicemail.decision, clock.now()) ? tooLate : mailbox.drop(voicemail); // last: looking takes its time
  }

  /** Records what is news of a voicemail; with its end, the end of the attempt at its number and of its task. */
  async function record(
    voicemail: Voicemail,
    decideOn: (current: Voicemail) => Fact[],
    cause: By,
    atTheEnd?: (tx: Transaction) => Promise<void>,
  ): Promise<Voicemail> {
    const by = { ...cause, correlationId: voicemail.taskId ?? voicemail.id };
    return world.transact(async (tx) => {
      const here = { workspaceId: { eq: voicemail.workspaceId } };
      const contact = await tx.lock(contacts, { ...here, id: { eq: voicemail.contactId } });
      const task = voicemail.taskId ? await tx.lock(tasks, { ...here, id: { eq: voicemail.taskId } }) : null;
      const current = await tx.lock(voicemails, { ...here, id: { eq: voicemail.id } });
      if (!contact || !current) throw new Error(`voicemail ${voicemail.id} has lost its rows`);
      const facts = decideOn(current);
      const { row, events } = tx.decide(voicemails, current, facts, by);
      if (!voicemails.isOver(row) || events.length === 0) return row;
      const because = { ...by, causationId: events.at(-1)!.id };
      const attempt = { ...row, endedReason: row.status.toLowerCase() };
      const ended = tx.decide(contacts, contact, contacts.endAttempt(contact, attempt), because);
      const isUntaken = facts.some((fact) => fact.type === 'voicemail.failed' && fact.data.retryable);
      if (task) {
        const end = endOfVoicemail(row, { isUntaken, isAllThatWasWanted: task.isChannelNamed });
        await conclude(tx, task, { end, contact: ended.row, by: because });
      }
      await atTheEnd?.(tx);
      return row;
    });
  }

  async function replay(voicemailId: string, by: By): Promise<Sent> {
    const where = { workspaceId: { eq: by.workspaceId }, id: { eq: voicemailId } };
    const voicemail = await world.findOne<Voicemail>(voicemails.table, where);
    const [event] = await world.history(by.workspaceId, voicemailId);
    if (!voicemail || !event) throw new Error(`voicemail ${voicemailId} has lost its rows`);
    if (voicemails.isBeingSent(voicemail)) throw inProgress();
    return answered({ voicemail, event, replayed: true });
  }

  /** A voicemail that the vendor refused at once is a refusal, also when it is asked for again with its key. */
  async function answered(sent: Sent): Promise<Sent> {
    const { voicemail } = sent;
    if (voicemail.status !== 'FAILED' || voicemail.carrierReference) return sent;
    const history = await world.history(voicemail.workspaceId, voicemail.id);
    const failed = history.find(({ type }) => type === 'voicemail.failed');
    const { via, reason, ...details } = failed!.data as unknown as Refused;
    if (via !== 'answer') return sent;
    throw new CarrierRefusal(reason, details);
  }

  return { sendVoicemail, ask, record };
}

/** Leaves ringless voicemails. */
export type Voicemails = ReturnType<typeof openVoicemails>;

type Refused = voicemails.Ended & { reached: boolean; retryable: boolean };

/** The answer to who comes too late: nothing was sent. */
const tooLate: Answer = {
  outcome: 'rejected',
  carrierCode: null,
  message: 'The voicemail was held up for too long after it was allowed, and was not sent. Ask again.',
  retryable: true,
  reached: false,
};

/** The answer to whose person said no meanwhile (C-27): nothing was sent. */
const unwanted: Answer = {
  ...tooLate,
  message: 'Before the voicemail was sent the person asked not to be contacted, and it was not sent.',
};

/** The answer to a task where there is no vendor any more: another channel has to do. */
const unconfigured: Answer = {
  ...tooLate,
  message: 'No voicemail vendor is configured, and nothing was sent.',
  retryable: false,
};

const notConfigured = () =>
  new StateRefusal(
    'OUTBOUND_NOT_CONFIGURED',
    'No voicemail vendor is configured: set VOICEMAIL_API_KEY and VOICEMAIL_API_SECRET.',
    'NOT_CONFIGURED',
  );
