import { randomBytes } from 'node:crypto';

import { ask, voiceParams } from './callbacks.ts';
import type { Call } from './call.ts';
import type { Target } from './call-order.ts';
import type { Network } from './network.ts';
import { rfc2822 } from './resource.ts';
import type { Verb } from './twiml.ts';

/** One recording of a call, from its start until it is deleted. */
export interface Recording {
  readonly sid: string;
  readonly callSid: string;
  readonly startedAt: Date;
  readonly startedMs: number;
  status: 'in-progress' | 'completed';
  durationSeconds: number | null;
  updatedAt: Date;
  /** Who is told of it; null: nobody. */
  readonly callback: Target | null;
  readonly events: ReadonlySet<string>;
}

/** Begins to record a call, as `<Start><Recording>` asks, until it ends or is told to stop; a call that is being recorded stays so. */
export function startRecording(call: Call, network: Network, verb: Verb): void {
  if (network.recordings.some(({ callSid, status }) => callSid === call.sid && status === 'in-progress'))
    return;
  const { recordingStatusCallback: url, recordingStatusCallbackMethod: method } = verb.attributes;
  const recording: Recording = {
    sid: `RE${randomBytes(16).toString('hex')}`,
    callSid: call.sid,
    startedAt: network.now(),
    startedMs: network.pace.moment(),
    status: 'in-progress',
    durationSeconds: null,
    updatedAt: network.now(),
    callback: url ? { url, method: method?.toUpperCase() === 'GET' ? 'GET' : 'POST' } : null,
    events: new Set((verb.attributes.recordingStatusCallbackEvent ?? 'completed').split(' ')),
  };
  network.recordings.push(recording);
  tell(call, network, recording);
  call.ended.signal.addEventListener('abort', () => stopRecording(call, network, recording), { once: true });
}

/** Ends a recording; it is there at once. A second end changes nothing. */
export function stopRecording(call: Call, network: Network, recording: Recording): void {
  if (recording.status === 'completed') return;
  recording.status = 'completed';
  recording.durationSeconds = Math.round(network.pace.secondsSince(recording.startedMs));
  recording.updatedAt = network.now();
  tell(call, network, recording);
}

function tell(
  call: Call,
  network: Network,
  { sid, status, durationSeconds, startedAt, ...told }: Recording,
): void {
  if (!told.callback || !told.events.has(status)) return;
  const params = {
    ...voiceParams(call, network, call.status),
    RecordingSid: sid,
    RecordingStatus: status,
    RecordingUrl: `https://api.twilio.com/2010-04-01/Accounts/${network.accountSid}/Recordings/${sid}`,
    RecordingChannels: '1',
    RecordingTrack: 'both',
    RecordingSource: 'StartCallRecordingTwiML',
    RecordingStartTime: rfc2822(startedAt),
    ...(durationSeconds !== null && { RecordingDuration: String(durationSeconds) }),
  };
  const question = { kind: 'recording-callback', target: told.callback, params } as const;
  call.posts = Promise.all([call.posts, network.busy(ask(call, network, question))]);
}

/** The recording as Twilio's API shows it. */
export function recordingResource(recording: Recording, accountSid: string): Record<string, unknown> {
  const { sid, callSid, status, durationSeconds, startedAt, updatedAt } = recording;
  return {
    sid,
    account_sid: accountSid,
    api_version: '2010-04-01',
    call_sid: callSid,
    conference_sid: null,
    status,
    duration: durationSeconds === null ? '-1' : String(durationSeconds),
    channels: 1,
    source: 'StartCallRecordingAPI',
    track: 'both',
    date_created: rfc2822(startedAt),
    date_updated: rfc2822(updatedAt),
    start_time: rfc2822(startedAt),
    price: null,
    price_unit: 'USD',
    error_code: null,
    encryption_details: null,
    uri: `/2010-04-01/Accounts/${accountSid}/Recordings/${sid}.json`,
  };
}
