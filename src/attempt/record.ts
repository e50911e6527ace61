import { endOfCall } from '../domain/attempt-end.ts';
import * as calls from '../domain/call.ts';
import type { Call, Fact } from '../domain/call.ts';
import { ends, isCarriersFailure } from '../domain/call-progress.ts';
import * as contacts from '../domain/contact.ts';
import type { By } from '../domain/event.ts';
import * as tasks from '../domain/task.ts';
import { run } from '../domain/task-progress.ts';
import type { Transaction, World } from '../world.ts';
import { tripBreaker } from './breaker.ts';
import { conclude } from './conclude.ts';

/** Records what is news of a call, and what it means for its number and its task: all or nothing. */
export function openRecords({ world }: { world: World }) {
  /**
   * Records what is news of a call; with its end, the end of the attempt at its number and of its task, and whatever
   * else ends with it.
   */
  return async function record(
    call: Call,
    decideOn: (call: Call) => Fact[],
    cause: By,
    atTheEnd?: (tx: Transaction) => Promise<void>,
  ): Promise<Call> {
    const by = { ...cause, correlationId: call.taskId ?? call.id };
    const alone = (current: Call) => unlessShared(current, decideOn(current));
    const simple = await world.change(calls, call, alone, by);
    if (simple.events.length > 0 || decideOn(simple.row).length === 0) return simple.row;
    return world.transact(async (tx) => {
      const here = { workspaceId: { eq: call.workspaceId } };
      const [contact, task, current] = await Promise.all([
        tx.lock(contacts, { ...here, id: { eq: call.contactId } }),
        call.taskId ? tx.lock(tasks, { ...here, id: { eq: call.taskId } }) : null,
        tx.lock(calls, { ...here, id: { eq: call.id } }),
      ]);
      if (!contact || !current) throw new Error(`call ${call.id} has lost its rows`);
      const facts = decideOn(current);
      const { row, events } = tx.decide(calls, current, facts, by);
      const because = { ...by, causationId: events.at(-1)?.id ?? null };
      if (events.length > 0) await tripBreaker(tx, row, because);
      const hasEnded = facts.some(({ type }) => ends(type));
      const mayBeTaken = facts.some((fact) => fact.type === 'call.rejected' && fact.data.retryable);
      const answered = facts.some(({ type }) => type === 'call.answered');
      let attempted = task;
      if (task && answered) attempted = tx.decide(tasks, task, run(task, call.id), because).row;
      if (!hasEnded) return row;
      const ended = tx.decide(contacts, contact, contacts.endAttempt(contact, row), because);
      if (attempted) {
        // A run's breaker stops for the carrier's failures, and whom they left undialled stays its member.
        const isUntaken = mayBeTaken || (row.campaignRunId !== null && isCarriersFailure(row));
        await conclude(tx, attempted, { end: endOfCall(row, isUntaken), contact: ended.row, by: because });
      }
      await atTheEnd?.(tx);
      return row;
    });
  };
}

/** Facts that may change a number, a task or a run are recorded with what they change there, and not alone. */
const unlessShared = (call: Call, facts: Fact[]): Fact[] => (facts.some(isShared(call)) ? [] : facts);

const isShared =
  ({ taskId, campaignRunId }: Call) =>
  ({ type }: Fact): boolean =>
    ends(type) ||
    (taskId !== null && type === 'call.answered') ||
    (campaignRunId !== null && type === 'call.uncertain');
