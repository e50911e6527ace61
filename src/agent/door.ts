import type { WebSocket } from 'ws';
import type { Agent } from '../agent.ts';
import type { Carrier } from '../carrier.ts';
import type { Passes } from './pass.ts';

/** Where our server takes the carrier that connects a call with our agent. */
const relayPath = '/agent/relay/';

/** The door to live calls: nobody comes in without the pass of that very call. */
export function openDoor({
  agent,
  passes,
  carrier,
}: {
  agent: Agent;
  passes: Passes;
  carrier: Pick<Carrier, 'isSignedSocket'>;
}) {
  return {
    /** Lets the carrier in that connects a call with our agent: signed by the account, for a call on which nobody speaks yet. */
    async admit(path: string, signature: string | undefined) {
      const passing = passes.read(path.slice(relayPath.length));
      if (!passing || !carrier.isSignedSocket(path, signature)) return null;
      const admission = await agent.admit(passing);
      return admission && ((socket: WebSocket) => agent.converse(admission, socket));
    },

    /** What an agent elsewhere is given of the call whose pass it has, as long as the call lasts. */
    async contextFor(authorization: string | null) {
      const pass = /^bearer (\S+)$/i.exec(authorization ?? '')?.[1];
      const passing = pass ? passes.read(pass) : null;
      const admission = passing && (await agent.admit(passing));
      if (!admission) return { status: 403 };
      const { instructions, greeting, patientSummary } = admission.context;
      const body = JSON.stringify({ callId: admission.call.id, instructions, greeting, patientSummary });
      return { status: 200, body, contentType: 'application/json; charset=utf-8' };
    },
  };
}

/** The door to live calls. */
export type Door = ReturnType<typeof openDoor>;
