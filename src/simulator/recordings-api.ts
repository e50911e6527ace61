import type { Call } from './call.ts';
import { ApiError, notFound } from './errors.ts';
import { pageOf, type ListRequest } from './list.ts';
import type { Network } from './network.ts';
import { recordingResource, stopRecording, type Recording } from './recording.ts';
import type { Answer } from './resource-api.ts';

/** What is asked of recordings. */
interface Asked extends ListRequest {
  readonly form: URLSearchParams;
  /** Of a call's own recordings; undefined: of all. */
  readonly callSid: string | undefined;
  /** Undefined: a list. */
  readonly sid: string | undefined;
}

/** The Recordings resource of an account, below a call and by itself. `callOf` finds a call by its sid. */
export function openRecordingsApi(network: Network, callOf: (sid: string) => Call | undefined) {
  const { recordings, accountSid } = network;
  const show = (recording: Recording) => recordingResource(recording, accountSid);

  function update(asked: Asked): Answer {
    const recording = found(recordings, asked);
    const call = callOf(recording.callSid);
    if (asked.form.get('Status') !== 'stopped') throw new ApiError(21220, 'Status must be stopped here');
    if (!call || recording.status !== 'in-progress')
      throw new ApiError(21220, 'Recording is not in-progress');
    enter(network, 'recording-update', { recording, call });
    stopRecording(call, network, recording);
    return { status: 200, body: show(recording) };
  }

  function remove(asked: Asked): Answer {
    const recording = found(recordings, asked);
    if (recording.status === 'in-progress')
      throw new ApiError(20009, 'Cannot delete this resource before it is complete');
    enter(network, 'recording-delete', { recording, call: callOf(recording.callSid) });
    recordings.splice(recordings.indexOf(recording), 1);
    return { status: 204 };
  }

  /** Answers one request. */
  return function act(method: string, asked: Asked): Answer {
    const { callSid, sid, path } = asked;
    if (callSid !== undefined && !callOf(callSid)) throw notFound(path);
    if (method === 'GET' && sid === undefined) {
      const all = within(recordings, callSid).toReversed();
      return { status: 200, body: pageOf(all, asked, { name: 'recordings', show }) };
    }
    if (method === 'GET') return { status: 200, body: show(found(recordings, asked)) };
    if (method === 'DELETE' && sid !== undefined) return remove(asked);
    if (method === 'POST' && sid !== undefined && callSid !== undefined) return update(asked);
    throw new ApiError(20004, 'Method not allowed');
  };
}

const within = (recordings: readonly Recording[], callSid: string | undefined): Recording[] =>
  recordings.filter((recording) => callSid === undefined || recording.callSid === callSid);

/** Twilio: Twilio.CURRENT is the one that goes on. */
function found(recordings: readonly Recording[], { sid, callSid, path }: Asked): Recording {
  const recording = within(recordings, callSid).find((one) =>
    sid === 'Twilio.CURRENT' ? one.status === 'in-progress' : one.sid === sid,
  );
  if (!recording) throw notFound(path);
  return recording;
}

function enter(
  { ledger }: Network,
  kind: 'recording-update' | 'recording-delete',
  { recording, call }: { recording: Recording; call: Call | undefined },
): void {
  const { to = '', from = '' } = call?.order ?? {};
  const { sid: recordingSid, callSid } = recording;
  ledger.enter({ kind, callSid, recordingSid, to, from, accepted: true });
}

/** The Recordings resource. */
export type RecordingsApi = ReturnType<typeof openRecordingsApi>;
