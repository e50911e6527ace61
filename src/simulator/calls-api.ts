import { finish, isOver, newCall, type Call, type Network } from './call.ts';
import { listCalls, type ListRequest } from './call-list.ts';
import { readChanges, readOrder, readSource } from './call-order.ts';
import type { DialQueue } from './dial-queue.ts';
import { ApiError, notFound } from './errors.ts';
import type { LedgerLine } from './ledger.ts';
import { limitTime, live } from './life.ts';
import { lineOf } from './people.ts';
import { magicRefusal, refusal } from './refusals.ts';
import { callResource } from './resource.ts';

/** What the API answers. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  /** True: the connection breaks instead, after everything was done. */
  readonly isLost?: boolean;
}

/** Twilio's Calls resource. Every method throws the ApiError that Twilio answers. */
export interface CallsApi {
  create(form: URLSearchParams): Promise<Answer>;
  fetch(sid: string, path: string): Answer;
  list(request: ListRequest): Answer;
  update(sid: string, path: string, form: URLSearchParams): Answer;
  remove(sid: string, path: string): Answer;
  /** Drops every call without another word, and waits until nothing of them is left. */
  close(): Promise<void>;
}

/** What the resource remembers between requests. */
interface Office {
  readonly network: Network;
  readonly queue: DialQueue;
  /** By sid, oldest first. */
  readonly calls: Map<string, Call>;
  /** How many creates each number has had, refused ones included. */
  readonly requests: Map<string, number>;
  /** How to take a call that was not yet dialled out of the queue, by sid. */
  readonly waiting: Map<string, () => void>;
  readonly lives: Set<Promise<void>>;
}

/** The Calls resource of an account, with no calls yet. */
export function openCallsApi(network: Network, queue: DialQueue): CallsApi {
  const office: Office = {
    network,
    queue,
    calls: new Map(),
    requests: new Map(),
    waiting: new Map(),
    lives: new Set(),
  };
  function found(sid: string, path: string): Call {
    const call = office.calls.get(sid);
    if (!call) throw notFound(path);
    return call;
  }
  return {
    create: (form) => create(office, form),
    fetch: (sid, path) => ({ status: 200, body: callResource(found(sid, path), network.accountSid) }),
    list: (request) => ({
      status: 200,
      body: listCalls(office.calls.values(), network.accountSid, request),
    }),
    update: (sid, path, form) => update(office, found(sid, path), form),
    remove: (sid, path) => remove(office, found(sid, path)),
    close: () => close(office),
  };
}

async function create(office: Office, form: URLSearchParams): Promise<Answer> {
  const { network } = office;
  const about = { kind: 'create', to: form.get('To') ?? '', from: form.get('From') ?? '' } as const;
  const call = entered(office, { ...about, callSid: null, params: flat(form) }, () => accept(office, form));
  const answer = answerOf(call, network);
  network.ledger.enter({
    ...about,
    callSid: call.sid,
    status: 'queued',
    params: flat(form),
    accepted: true,
    ...(!answer.isLost && { httpStatus: answer.status }),
  });
  if (call.line.answer === 'after first callback') await call.heard.promise;
  return answer;
}

function answerOf(call: Call, network: Network): Answer {
  const unavailable = refusal(20503, call.order.to, call.order.from);
  return call.line.answer === 'unavailable'
    ? { status: unavailable.status, body: unavailable.body() }
    : { status: 201, body: callResource(call, network.accountSid), isLost: call.line.answer === 'lost' };
}

/** Does what was asked, and enters it in the ledger if that is refused. */
function entered<T>(office: Office, about: Omit<LedgerLine, 'accepted'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ApiError) {
      office.network.ledger.enter({ ...about, accepted: false, code: error.code, httpStatus: error.status });
    }
    throw error;
  }
}

function accept(office: Office, form: URLSearchParams): Call {
  const { network, queue } = office;
  const order = readOrder(form);
  const { to, from } = order;
  const request = (office.requests.get(to) ?? 0) + 1;
  office.requests.set(to, request);
  const line = lineOf(to);
  const code = request <= line.throttledTimes ? 20429 : (line.refusedWith ?? magicRefusal(to, from));
  if (code !== undefined) throw refusal(code, to, from);
  const call = newCall(order, network.now());
  const place = queue.join(() => begin(office, call));
  call.queueMs = place.waitMs;
  office.calls.set(call.sid, call);
  office.waiting.set(call.sid, place.leave);
  return call;
}

function begin(office: Office, call: Call): void {
  office.waiting.delete(call.sid);
  const life = live(call, office.network).finally(() => office.lives.delete(life));
  office.lives.add(life);
}

function update(office: Office, call: Call, form: URLSearchParams): Answer {
  const { network } = office;
  const { to, from } = call.order;
  const about = { kind: 'update', callSid: call.sid, to, from, params: flat(form) } as const;
  entered(office, { ...about, status: call.status }, () => change(office, call, form));
  network.ledger.enter({ ...about, status: call.status, accepted: true, httpStatus: 200 });
  return { status: 200, body: callResource(call, network.accountSid) };
}

function change(office: Office, call: Call, form: URLSearchParams): void {
  const { network } = office;
  const status = readStatus(form);
  const source = readSource(form);
  if (isOver(call) || (source && call.status !== 'in-progress')) {
    throw new ApiError(21220, 'Call is not in-progress. Cannot redirect.');
  }
  call.order = { ...call.order, ...readChanges(form) };
  call.updatedAt = network.now();
  if (status) return hangUp(office, call, status);
  if (call.answeredMs !== null && form.has('TimeLimit')) limitTime(call, network);
  if (!source) return;
  call.redirect = source;
  call.script.abort();
}

function readStatus(form: URLSearchParams): 'canceled' | 'completed' | undefined {
  const status = form.get('Status');
  if (!status) return undefined;
  if (status === 'canceled' || status === 'completed') return status;
  throw new ApiError(20001, `Invalid Status: ${status}`);
}

/** Twilio: `canceled` leaves calls alone that are in progress; what is hung up before that is canceled either way. */
function hangUp(office: Office, call: Call, status: 'canceled' | 'completed'): void {
  const isAnswered = call.status === 'in-progress';
  if (isAnswered && status === 'canceled') return;
  office.waiting.get(call.sid)?.();
  office.waiting.delete(call.sid);
  finish(
    call,
    office.network,
    isAnswered ? { status: 'completed', sip: 200 } : { status: 'canceled', sip: 487 },
  );
}

function remove(office: Office, call: Call): Answer {
  if (!isOver(call)) throw new ApiError(20009, 'Cannot delete this resource before it is complete');
  office.calls.delete(call.sid);
  return { status: 204 };
}

async function close(office: Office): Promise<void> {
  for (const call of office.calls.values()) {
    call.ended.abort();
    call.heard.resolve();
  }
  await Promise.all(office.lives);
  await Promise.all(Array.from(office.calls.values(), (call) => call.posts));
}

/** The form as an object; repeated keys are joined by spaces. */
function flat(form: URLSearchParams): Record<string, string> {
  return Object.fromEntries(Array.from(form.keys(), (name) => [name, form.getAll(name).join(' ')]));
}
