import type { Attempts } from '../attempt.ts';
import type { Carrier } from '../carrier.ts';
import type { Clock } from '../clock.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import * as progress from '../domain/call-progress.ts';
import type { By } from '../domain/event.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';
import { followLog } from './follow-log.ts';

/** What it needs. */
interface Tools {
  world: World;
  stream: Stream;
  carrier: Carrier;
  attempts: Attempts;
  clock: Clock;
  log: (line: string, error?: unknown) => void;
}

/**
 * Ends calls that a machine has answered: the greeting may name what only the patient may hear (C-50). A reaction to
 * the recorded verdict, so that it happens also when the process that heard it dies.
 */
export function hangUpMachines(tools: Tools, signal: AbortSignal): Promise<void> {
  const { world, carrier, attempts, clock, log } = tools;
  const react = async ({ id, workspaceId, entityId }: Notice) => {
    const where = { workspaceId: { eq: workspaceId }, id: { eq: entityId } };
    const call = await world.findOne<Call>(calls.table, where);
    if (!call?.sid || call.answeredBy !== 'MACHINE' || calls.isOver(call)) return;
    try {
      const heard = await carrier.hangUp(call.sid, 'completed', clock.now());
      const by: By = {
        workspaceId,
        actor: 'hang-up-machines',
        source: 'job',
        now: clock.now(),
        causationId: id,
      };
      await attempts.record(call, (current) => progress.hear(current, heard), by);
    } catch (error) {
      log(`call ${call.id} could not be hung up; it ends by its own limit`, error);
    }
  };
  return followLog(tools, { name: 'hang-up-machines', types: ['call.machine_detected'], react }, signal);
}
