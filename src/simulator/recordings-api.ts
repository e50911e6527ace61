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
  const { recordings, ledger, accountSid } = network;
  const show = (recording: Recording) => recordingResource(recording, accountSid);

  function found({ sid, callSid, path }: Asked): Recording {
    const ofCall = recordings.filter((recording) => callSid === undefined || recording.callSid === callSid);
    const current = (recording: Recording) => recording.status === 'in-progress';
    const recording = sid === 'Twilio.CURRENT' ? ofCall.find(current) : ofCall.find((one) => one.sid === sid);
    if (!recording) throw notFound(path);
    return recording;
  }

  function update(asked: Asked): Answer {
    const recording = found(asked);
    const call = callOf(recording.callSid);
    if (asked.form.get('Status') !== 'stopped') throw new ApiError(21220, 'Status must be stopped here');
    if (!call || recording.status !== 'in-progress')
      throw new ApiError(21220, 'Recording is not in-progress');
    enter('recording-update', recording, { Status: 'stopped' });
    stopRecording(call, network, recording);
    return { status: 200, body: show(recording) };
  }

  function remove(asked: Asked): Answer {
    const recording = found(asked);
    if (recording.status === 'in-progress')
      throw new ApiError(20009, 'Cannot delete this resource before it is complete');
    enter('recording-delete', recording, {});
    recordings.splice(recordings.indexOf(recording), 1);
    return { status: 204 };
  }

  function enter(
    kind: 'recording-update' | 'recording-delete',
    { sid, callSid }: Recording,
    params: Record<string, string>,
  ) {
    const { to = '', from = '' } = callOf(callSid)?.order ?? {};
    ledger.enter({ kind, callSid, recordingSid: sid, to, from, params, accepted: true });
  }

  /** Answers one request. */
  return function act(method: string, asked: Asked): Answer {
    const { callSid, sid } = asked;
    if (callSid !== undefined && !callOf(callSid)) throw notFound(asked.path);
    if (method === 'GET' && sid === undefined) {
      const all = recordings.filter((recording) => callSid === undefined || recording.callSid === callSid);
      return { status: 200, body: pageOf(all.toReversed(), asked, { name: 'recordings', show }) };
    }
    if (method === 'GET') return { status: 200, body: show(found(asked)) };
    if (method === 'DELETE' && sid !== undefined) return remove(asked);
    if (method === 'POST' && sid !== undefined && callSid !== undefined) return update(asked);
    throw new ApiError(20004, 'Method not allowed');
  };
}

/** The Recordings resource. */
export type RecordingsApi = ReturnType<typeof openRecordingsApi>;
