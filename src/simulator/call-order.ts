import { ApiError } from './errors.ts';
import { isE164, isWebhookUrl } from './form.ts';

/** A URL of the customer's and how to ask it. Default method POST. */
export interface Target {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  /** Parameters besides those of every voice webhook. Default: none. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** Where TwiML comes from: asked for, or given with the call. */
export type TwimlSource = Target | { readonly twiml: string };

/** Answering machine detection as it was ordered. */
export interface Detection {
  /** `Enable` says what answered; `DetectMessageEnd` also waits for the end of a machine's greeting. */
  readonly mode: 'Enable' | 'DetectMessageEnd';
  /** After this many seconds the verdict is `unknown`. Default 30. */
  readonly timeoutSeconds: number;
  /** True: TwiML starts at once and the verdict is posted to the callback. False: TwiML waits for the verdict. */
  readonly isAsync: boolean;
  readonly callback: Target | null;
}

/** What create asked for, validated. */
export interface CallOrder {
  readonly to: string;
  readonly from: string;
  readonly source: TwimlSource;
  readonly fallback: Target | null;
  readonly statusCallback: Target | null;
  /** `initiated`, `ringing`, `answered`, `completed`; only the last if none was given. */
  readonly events: ReadonlySet<string>;
  /** Seconds it may ring. Default 60, at most 600. */
  readonly timeoutSeconds: number;
  /** Seconds it may last once answered. Default 14400, four hours. */
  readonly timeLimitSeconds: number;
  readonly detection: Detection | null;
}

/** What update may replace while the call lives; what is absent stays. */
export interface CallChanges {
  readonly fallback?: Target;
  readonly statusCallback?: Target;
  readonly timeLimitSeconds?: number;
}

/** The order in a create request's form. Throws the ApiError that Twilio answers. */
export function readOrder(form: URLSearchParams): CallOrder {
  const { to, from } = readNumbers(form);
  const source = readSource(form);
  if (!source) throw new ApiError(21205, 'Url parameter is required.');
  const events = form.getAll('StatusCallbackEvent');
  return {
    to,
    from,
    source,
    fallback: readTarget(form, 'FallbackUrl', 'FallbackMethod'),
    statusCallback: readTarget(form, 'StatusCallback', 'StatusCallbackMethod'),
    // Older clients send one value with spaces in between.
    events: new Set(events.length === 0 ? ['completed'] : events.flatMap((event) => event.split(' '))),
    timeoutSeconds: readSeconds(form, 'Timeout', 600) ?? 60,
    timeLimitSeconds: readSeconds(form, 'TimeLimit') ?? 14_400,
    detection: readDetection(form),
  };
}

/** What an update request's form would replace. Throws the ApiError that Twilio answers. */
export function readChanges(form: URLSearchParams): CallChanges {
  const fallback = readTarget(form, 'FallbackUrl', 'FallbackMethod');
  const statusCallback = readTarget(form, 'StatusCallback', 'StatusCallbackMethod');
  const timeLimitSeconds = readSeconds(form, 'TimeLimit');
  return {
    ...(fallback && { fallback }),
    ...(statusCallback && { statusCallback }),
    ...(timeLimitSeconds !== undefined && { timeLimitSeconds }),
  };
}

/** Twilio: Url wins over Twiml, which holds at most 4000 characters (32018). Null if there is neither. */
export function readSource(form: URLSearchParams): TwimlSource | null {
  const target = readTarget(form, 'Url', 'Method');
  if (target) return target;
  const twiml = form.get('Twiml');
  if (twiml && twiml.length > 4000) {
    throw new ApiError(32018, 'Twiml size exceeded maximum allowed value of 4000 characters');
  }
  if (twiml) return { twiml };
  // This account has no applications, so whichever is named does not exist.
  if (form.get('ApplicationSid')) throw new ApiError(21218, 'Invalid ApplicationSid');
  return null;
}

function readNumbers(form: URLSearchParams): { to: string; from: string } {
  const to = form.get('To') ?? '';
  const from = form.get('From') ?? '';
  if (to === '') throw new ApiError(21201, "No 'To' number is specified");
  if (from === '') throw new ApiError(21213, "No 'From' number is specified");
  if (!isE164(to) || to === from) {
    throw new ApiError(21211, `The phone number you are attempting to call, ${to}, is not valid.`);
  }
  if (!isE164(from)) throw new ApiError(21212, `From is not a valid phone number: ${from}`);
  return { to, from };
}

function readTarget(form: URLSearchParams, name: string, methodName: string): Target | null {
  const url = form.get(name);
  if (!url) return null;
  if (!isWebhookUrl(url)) throw new ApiError(21205, `${name} is not a valid URL: ${url}`);
  const method = form.get(methodName)?.toUpperCase() ?? 'POST';
  if (method !== 'GET' && method !== 'POST') throw new ApiError(21209, `Invalid ${methodName}: ${method}`);
  return { url, method };
}

/** Twilio: 21208, a positive whole number. Undefined if it is not given. */
function readSeconds(form: URLSearchParams, name: string, most = Infinity): number | undefined {
  const given = form.get(name);
  if (given === null) return undefined;
  if (!/^[1-9]\d*$/.test(given) || Number(given) > most)
    throw new ApiError(21208, `Invalid ${name}: ${given}`);
  return Number(given);
}

/** Twilio ignores detection where digits are sent, and takes any AsyncAmd but "true" for false. */
function readDetection(form: URLSearchParams): Detection | null {
  const mode = form.get('MachineDetection');
  if (!mode || form.has('SendDigits')) return null;
  if (mode !== 'Enable' && mode !== 'DetectMessageEnd') {
    throw new ApiError(21207, `Invalid MachineDetection: ${mode}`);
  }
  return {
    mode,
    timeoutSeconds: readSeconds(form, 'MachineDetectionTimeout') ?? 30,
    isAsync: form.get('AsyncAmd')?.toLowerCase() === 'true',
    callback: readTarget(form, 'AsyncAmdStatusCallback', 'AsyncAmdStatusCallbackMethod'),
  };
}
