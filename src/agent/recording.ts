import type { RecordingCarrier } from '../carrier/recording.ts';
import type { Clock } from '../clock.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import { agentConfidence } from '../domain/call-fact.ts';
import { consentKey, stop } from '../domain/call-recording.ts';
import * as patients from '../domain/patient.ts';
import type { World } from '../world.ts';
import { byAgent } from './report.ts';

/**
 * Stops recording a call because somebody on it does not want it: from now on no call to the patient is recorded, and what
 * was recorded of this one is deleted once it is over, also where the carrier does not hear of the stop.
 */
export async function refuseRecording(
  { world, carrier, clock }: { world: World; carrier: Pick<RecordingCarrier, 'stopRecording'>; clock: Clock },
  { workspaceId, id, patientId, sid }: Call,
): Promise<void> {
  const here = { workspaceId: { eq: workspaceId } };
  const isStopped = await world.transact(async (tx) => {
    const patient = await tx.lock(patients, { ...here, id: { eq: patientId } });
    const call = await tx.lock(calls, { ...here, id: { eq: id } });
    if (!patient || !call) throw new Error(`call ${id} has lost its rows`);
    const by = byAgent(call, clock.now());
    const { events } = tx.decide(calls, call, stop(call), by);
    const refusal = { key: consentKey, value: 'refused' };
    tx.decide(
      patients,
      patient,
      [{ type: 'patient.fact_learned', data: refusal, confidence: agentConfidence, sourceSystem: by.source }],
      by,
    );
    return events.length > 0;
  });
  if (isStopped && sid) await carrier.stopRecording(sid);
}
