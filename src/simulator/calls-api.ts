import { finish, isOver, newCall, type Call } from './call.ts';
import { listCalls } from './call-list.ts';
import { readChanges, readOrder, readSource } from './call-order.ts';
import type { DialQueue } from './dial-queue.ts';
import { ApiError, notFound } from './errors.ts';
import { flat } from './form.ts';
import { answerOn, orRefused } from './intake.ts';
import { limitTime, live } from './life.ts';
import type { Network } from './network.ts';
import { lineOf } from './people.ts';
import { magicRefusal, refusal } from './refusals.ts';
import type { Answer, ResourceApi } from './resource-api.ts';
import { callResource } from './resource.ts';

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
export function openCallsApi(
  network: Network,
  queue: DialQueue,
): ResourceApi & { find(sid: string): Call | undefined } {
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
    find: (sid) => office.calls.get(sid),
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
  const call = orRefused(network.ledger, { ...about, callSid: null, params: flat(form) }, () =>
    accept(office, form),
  );
  const answer = answerOn(call.line, callResource(call, network.accountSid));
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
  orRefused(network.ledger, { ...about, status: call.status }, () => change(office, call, form));
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
