import type { Attempts } from '../attempt.ts';
import type { Clock } from '../clock.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';
import type { Where } from '../world/sql.ts';
import { followLog } from './follow-log.ts';

/** What ending calls needs. */
interface Tools {
  world: World;
  stream: Stream;
  attempts: Attempts;
  clock: Clock;
  log: (line: string, error?: unknown) => void;
}

/** Why calls are ended, and which: those that an event leaves no right to go on. */
interface Ending {
  name: string;
  type: string;
  /** Which calls, given the event's entity. */
  of(entityId: string): Where;
  applies(call: Call): boolean;
}

const machines: Ending = {
  name: 'hang-up-machines',
  type: 'call.machine_detected',
  of: (entityId) => ({ id: { eq: entityId } }),
  applies: (call) => call.answeredBy === 'MACHINE',
};

const optedOut: Ending = {
  name: 'stop-ringing',
  type: 'contact.opted_out',
  of: (entityId) => ({ contactId: { eq: entityId }, status: { in: ['QUEUED', 'RINGING'] } }),
  applies: () => true,
};

/** The reactions by their names, each with the type of event that it is to. */
export const reactions: Record<string, string> = {
  [machines.name]: machines.type,
  [optedOut.name]: optedOut.type,
};

/** Hangs up on machines: the greeting may name what only the patient may hear (C-50). */
export const hangUpMachines = (tools: Tools, signal: AbortSignal) => endCalls(tools, machines, signal);

/** Stops ringing at a number that has just opted out: that is honoured at once (C-27). */
export const stopRinging = (tools: Tools, signal: AbortSignal) => endCalls(tools, optedOut, signal);

/** A reaction to what is recorded, so that it happens also when the process that recorded it dies. */
function endCalls(tools: Tools, ending: Ending, signal: AbortSignal): Promise<void> {
  const { world, attempts, clock, log } = tools;
  const { name, type, of, applies } = ending;
  const end = async ({ id, workspaceId, entityId }: Notice) => {
    const found = await world.find<Call>(calls.table, { workspaceId: { eq: workspaceId }, ...of(entityId) });
    for (const call of found.filter((open) => open.sid && !calls.isOver(open) && applies(open))) {
      const by = { workspaceId, actor: name, source: 'job' as const, now: clock.now(), causationId: id };
      await attempts
        .endCall(call, by)
        .catch((error: unknown) =>
          log(`call ${call.id} could not be ended; it ends by its own limit`, error),
        );
    }
  };
  const react = async (notices: Notice[]) => {
    for (const notice of notices) await end(notice);
  };
  return followLog(tools, { name, types: () => Promise.resolve([type]), react }, signal);
}
