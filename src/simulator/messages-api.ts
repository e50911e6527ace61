import { ApiError, notFound } from './errors.ts';
import { flat } from './form.ts';
import { openInbox, type Inbox } from './inbox.ts';
import { answerOn, orRefused } from './intake.ts';
import { send } from './message-life.ts';
import { readMessageOrder } from './message-order.ts';
import { listMessages, messageResource } from './message-resource.ts';
import { isSettled, newMessage, type Message } from './message.ts';
import type { Network } from './network.ts';
import { openOptOuts, type OptOuts } from './opt-outs.ts';
import { lineOf } from './people.ts';
import type { Answer, ResourceApi } from './resource-api.ts';
import { magicTextRefusal, textRefusal } from './text-refusals.ts';
import { textRefusedWith } from './texters.ts';

/** Twilio's Messages resource, and the people who text by themselves. */
export interface MessagesApi extends ResourceApi {
  readonly inbox: Inbox;
}

/** What the resource remembers between requests. */
interface Office {
  readonly network: Network;
  /** By sid, oldest first. */
  readonly messages: Map<string, Message>;
  /** How many creates each number has had, refused ones included. */
  readonly requests: Map<string, number>;
  readonly optOuts: OptOuts;
  readonly inbox: Inbox;
  readonly lives: Set<Promise<void>>;
}

/** The Messages resource of an account, with no texts yet; people's texts go to `messageUrl`, if there is one. */
export function openMessagesApi(network: Network, messageUrl: string | undefined): MessagesApi {
  const messages = new Map<string, Message>();
  const optOuts = openOptOuts();
  const inbox = openInbox({ network, optOuts, messages, url: messageUrl });
  const office: Office = { network, messages, requests: new Map(), optOuts, inbox, lives: new Set() };
  function found(sid: string, path: string): Message {
    const message = messages.get(sid);
    if (!message) throw notFound(path);
    return message;
  }
  return {
    inbox,
    create: (form) => create(office, form),
    fetch: (sid, path) => ({ status: 200, body: messageResource(found(sid, path), network.accountSid) }),
    list: (request) => ({
      status: 200,
      body: listMessages(messages.values(), network.accountSid, request),
    }),
    update: (sid, path, form) => update(office, found(sid, path), form),
    remove: (sid, path) => remove(office, found(sid, path)),
    close: () => close(office),
  };
}

async function create(office: Office, form: URLSearchParams): Promise<Answer> {
  const { network } = office;
  const about = {
    kind: 'text',
    callSid: null,
    to: form.get('To') ?? '',
    from: form.get('From') ?? '',
    params: flat(form),
  } as const;
  const message = orRefused(network.ledger, about, () => accept(office, form));
  const answer = answerOn(message.line, messageResource(message, network.accountSid));
  network.ledger.enter({
    ...about,
    messageSid: message.sid,
    status: 'queued',
    accepted: true,
    ...(!answer.isLost && { httpStatus: answer.status }),
  });
  if (message.line.answer === 'after first callback') await message.heard.promise;
  return answer;
}

function accept(office: Office, form: URLSearchParams): Message {
  const { network, optOuts } = office;
  const { text, statusCallback } = readMessageOrder(form);
  const { to, from } = text;
  const request = (office.requests.get(to) ?? 0) + 1;
  office.requests.set(to, request);
  const isThrottled = request <= lineOf(to).throttledTimes;
  const refused = textRefusedWith(to) ?? magicTextRefusal(to, from);
  const code = isThrottled ? 20429 : (refused ?? (optOuts.has(to, from) ? 21610 : undefined));
  if (code !== undefined) throw textRefusal(code, to, from);
  const beginning = { text, direction: 'outbound-api', status: 'queued', statusCallback } as const;
  const message = newMessage(beginning, network.now());
  office.messages.set(message.sid, message);
  begin(office, message);
  return message;
}

function begin(office: Office, message: Message): void {
  const { to, from } = message.text;
  const life = send(message, office.network, (body) => {
    office.inbox.receive({ to: from, from: to, body });
  }).finally(() => office.lives.delete(life));
  office.lives.add(life);
}

/** Twilio: an empty Body redacts what was said, once nothing more happens to it; nothing else can be changed here. */
function update(office: Office, message: Message, form: URLSearchParams): Answer {
  const { network } = office;
  const { sid: messageSid, text } = message;
  const { to, from } = text;
  const about = {
    kind: 'text-update',
    callSid: null,
    messageSid,
    to,
    from,
    status: message.status,
    params: flat(form),
  } as const;
  orRefused(network.ledger, about, () => {
    // Only what was scheduled can be canceled, and nothing is ever scheduled.
    if (form.get('Status')) throw new ApiError(20001, 'Cannot cancel this message');
    if (form.get('Body') !== '') throw new ApiError(20001, 'Body can only be redacted to an empty string');
    if (!isSettled(message)) throw new ApiError(20009, 'Cannot modify this resource before it is complete');
  });
  message.text = { to, from, body: '' };
  message.updatedAt = network.now();
  network.ledger.enter({ ...about, accepted: true, httpStatus: 200 });
  return { status: 200, body: messageResource(message, network.accountSid) };
}

function remove(office: Office, message: Message): Answer {
  if (!isSettled(message)) throw new ApiError(20009, 'Cannot delete this resource before it is complete');
  office.messages.delete(message.sid);
  return { status: 204 };
}

async function close(office: Office): Promise<void> {
  for (const message of office.messages.values()) {
    message.ended.abort();
    message.heard.resolve();
  }
  await Promise.all(office.lives);
  await Promise.all(Array.from(office.messages.values(), ({ posts }) => posts));
  await office.inbox.settled();
}
