import type { Twilio } from 'twilio';
import { codeOf, isUnknown, refusalOf } from './failure.ts';

/** The carrier's recordings of calls; every function refuses as hangUp does. */
export function openRecordings(client: Twilio) {
  /** Stops recording a call; one that is not recorded, or is over, stays as it is. */
  async function stopRecording(callSid: string): Promise<void> {
    try {
      await client.calls(callSid).recordings('Twilio.CURRENT').update({ status: 'stopped' });
    } catch (error) {
      if (!isUnknown(error) && codeOf(error) !== '21220') throw refusalOf(error); // Twilio: 21220, call is not in progress
    }
  }

  /** The ids of all recordings that the carrier has of a call: also of those that it never told of. */
  async function recordingsOf(callSid: string): Promise<string[]> {
    try {
      return (await client.calls(callSid).recordings.list()).map(({ sid }) => sid);
    } catch (error) {
      if (isUnknown(error)) return [];
      throw refusalOf(error);
    }
  }

  /** Deletes a recording for good; one that is gone already is no mistake. */
  async function deleteRecording(sid: string): Promise<void> {
    try {
      await client.recordings(sid).remove();
    } catch (error) {
      if (!isUnknown(error)) throw refusalOf(error);
    }
  }

  return { stopRecording, recordingsOf, deleteRecording };
}

/** The carrier, as far as recordings are concerned. */
export type RecordingCarrier = ReturnType<typeof openRecordings>;
