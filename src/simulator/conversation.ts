import type { Call } from './call.ts';
import type { Target, TwimlSource } from './call-order.ts';
import { loadDocument } from './document.ts';
import type { Network } from './network.ts';
import type { Person } from './people.ts';
import { startRecording } from './recording.ts';
import { performRelay } from './relay.ts';
import { performStream } from './stream.ts';
import type { Verb } from './twiml.ts';

/** Does what the customer's TwiML says, from one document to the next, until the last one ends. */
export async function converse(call: Call, network: Network, person: Person): Promise<void> {
  let source: TwimlSource | null = takeRedirect(call) ?? call.order.source;
  while (source) {
    call.script = new AbortController();
    const signal = AbortSignal.any([call.ended.signal, call.script.signal]);
    try {
      source = await perform(call, network, { source, signal, person });
      // A line that is stuck outlives its TwiML.
      if (!source && person.isStuck) await network.pace.wait(Infinity, signal);
    } catch (error) {
      const redirect = takeRedirect(call);
      if (call.ended.signal.aborted || !redirect) throw error;
      source = redirect;
    }
  }
}

function takeRedirect(call: Call): TwimlSource | null {
  const { redirect } = call;
  call.redirect = null;
  return redirect;
}

interface Scene {
  readonly source: TwimlSource;
  /** Aborted when the call ends or is redirected. */
  readonly signal: AbortSignal;
  readonly person: Person;
}

/** Performs one document; gives the next one where it redirects, null where the call is to end. */
async function perform(call: Call, network: Network, scene: Scene): Promise<TwimlSource | null> {
  const { source, signal, person } = scene;
  const document = await orAborted(loadDocument(call, network, source), signal, network);
  for (const verb of document.verbs) {
    if (verb.name === 'Hangup' || verb.name === 'Reject') return null;
    if (verb.name === 'Redirect') return redirectOf(verb, document.url);
    const recording = verb.name === 'Start' && verb.children.find(({ name }) => name === 'Recording');
    if (recording) startRecording(call, network, recording);
    const session = verb.name === 'Connect' ? sessionIn(verb) : null;
    if (session) {
      const { perform, noun } = session;
      const next = await perform(call, network, { verb, noun, documentUrl: document.url, person, signal });
      if (next) return next;
    } else await network.pace.wait(secondsOf(verb), signal);
  }
  return null;
}

/** What talks with the person in a `<Connect>`; null: nothing that is known here. */
function sessionIn({ children }: Verb) {
  const noun = children.find(({ name }) => name === 'ConversationRelay' || name === 'Stream');
  if (!noun) return null;
  return { noun, perform: noun.name === 'Stream' ? performStream : performRelay };
}

/** A request to the customer cannot be taken back; when the call moves on, its answer is not waited for. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, network: Network): Promise<T> {
  const never = network.pace.wait(Infinity, signal) as Promise<never>;
  return Promise.race([work, never]);
}

/** Twilio: an empty Redirect asks for the same document again. Null, the end, if it leads nowhere. */
function redirectOf(verb: Verb, documentUrl: string): Target | null {
  const base = documentUrl === '' ? undefined : documentUrl;
  if (!URL.canParse(verb.text, base)) return null;
  const method = verb.attributes.method?.toUpperCase() === 'GET' ? 'GET' : 'POST';
  return { url: new URL(verb.text, base).href, method };
}

/** Seconds that each verb takes; verbs that are not here are passed over. */
const SECONDS: Record<string, (verb: Verb) => number> = {
  Say: (verb) => verb.text.length * SECONDS_PER_CHARACTER * loopsOf(verb),
  // A recording is not fetched; most prompts are about so long.
  Play: (verb) => 5 * loopsOf(verb),
  Pause: ({ attributes }) => numberIn(attributes.length, 1),
  // Nobody presses anything: what it says, then its time-out (Twilio: 5 seconds).
  Gather: (verb) => totalOf(verb.children) + numberIn(verb.attributes.timeout, 5),
  Connect: () => Infinity,
};
/** Speech of about 1000 characters a minute. */
const SECONDS_PER_CHARACTER = 0.06;

function secondsOf(verb: Verb): number {
  return SECONDS[verb.name]?.(verb) ?? 0;
}

function totalOf(verbs: readonly Verb[]): number {
  return verbs.reduce((sum, verb) => sum + secondsOf(verb), 0);
}

/** Twilio: loop="0" is for ever. */
function loopsOf(verb: Verb): number {
  return numberIn(verb.attributes.loop, 1) || Infinity;
}

function numberIn(value: string | undefined, otherwise: number): number {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : otherwise;
}
