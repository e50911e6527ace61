/** What single events leave of a call: the parts of its fold that take more than a line. */
import type { Call } from './call.ts';
import type { Ended, Rejection, Reported } from './call-fact.ts';
import type { Recording } from './call-recording.ts';

/** After an agent's report. */
export function reported(call: Call, { answeredBy, taskIds: _tasks, ...data }: Reported): Call {
  return { ...call, ...data, answeredBy: answeredBy ?? call.answeredBy ?? null };
}

/** After its end. Recordings of it are kept from then on; those that somebody on it did not want are not. */
export function ended(call: Call, data: Ended, at: Date): Call {
  const durationSeconds = data.durationSeconds ?? null;
  const reckoned = durationSeconds === null ? null : new Date(at.getTime() - durationSeconds * 1000);
  const answeredAt = call.answeredAt ?? (call.status === 'COMPLETED' ? reckoned : null);
  const isRecorded = answeredAt !== null && call.context?.recording?.allowed === true;
  return {
    ...call,
    endedAt: at,
    endedReason: data.endedReason,
    durationSeconds,
    answeredAt,
    answeredBy: call.answeredBy ?? data.answeredBy ?? null,
    recordingsSince: call.recordingsSince ?? (isRecorded ? at : null),
  };
}

/** After the carrier has told of a recording. */
export function recorded(call: Call, data: Omit<Recording, 'recordedAt' | 'deletedAt'>, at: Date): Call {
  const recording = { ...data, recordedAt: at.toISOString(), deletedAt: null };
  return {
    ...call,
    recordings: [...call.recordings, recording],
    recordingsSince: call.recordingsSince ?? at,
  };
}

/** After recordings were deleted at the carrier. */
export function deleted(call: Call, sids: string[], at: Date): Call {
  const recordings = call.recordings.map((recording) =>
    sids.includes(recording.sid) ? { ...recording, deletedAt: at.toISOString() } : recording,
  );
  return { ...call, recordings, recordingsSince: null };
}

/** Why a call was not taken, in one word. */
export const rejection = (data: Rejection): string =>
  data.withheld ??
  (data.reached
    ? `carrier_rejected${data.carrierCode ? `_${data.carrierCode}` : ''}`
    : 'carrier_unavailable');
