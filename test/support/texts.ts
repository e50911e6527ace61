import twilio from 'twilio';
import { expect } from 'vitest';
import * as conversations from '../../src/domain/conversation.ts';
import { eventually } from './eventually.ts';
import type { Answer, App } from './program.ts';

/** The account of the in-process simulated carrier. */
const account = { sid: `AC${'0'.repeat(32)}`, token: 'simulated-carrier-token' };

/** Our number in these tests, and two more. */
export const ours = '+14155550199';

const conversationFields = `id status reason phone phoneFrom createdAt closedAt patient { id name }
  messages(first: 200) { edges { node { id direction body status at carrierCode failureReason segments decision { allowed basis } } } }
  events { type actor source data causationId }`;

const answer = `{ __typename
  ... on ConversationPayload { conversation { ${conversationFields} } }
  ... on Error { code message } ... on InputError { fields { path message } } ... on NotFoundError { id }
  ... on ContactBlockedError { decision { blocks nextAllowedAt } } ... on StateError { state }
  ... on CarrierError { carrierCode retryable } }`;

/** A conversation as a test reads it, with its messages in their order. */
export interface Talk {
  id: string;
  status: string;
  reason: string;
  phone: string;
  phoneFrom: string;
  closedAt: string | null;
  patient: { id: string; name: string };
  texts: {
    id: string;
    direction: string;
    body: string;
    status: string;
    at: string;
    carrierCode: string | null;
    failureReason: string | null;
    segments: number;
    decision: { allowed: boolean; basis: string } | null;
  }[];
  events: { type: string; actor: string; source: string; data: Record<string, unknown> }[];
}

const talkOf = (conversation: Answer['data']): Talk => ({
  ...conversation,
  texts: conversation.messages.edges.map(({ node }: { node: object }) => node),
});

/** What a workspace needs to text: a service, and numbers of ours that can. */
export async function setUpTexts(app: App, phones = [ours], key = app.key): Promise<string> {
  const { data } = await app.ask(
    `mutation { createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello from the clinic." }) {
      ... on ServicePayload { service { id } } } }`,
    {},
    key,
  );
  for (const phone of phones)
    await app.ask(
      `mutation ($phone: E164!) { registerPhoneNumber(input: { phone: $phone, text: true }) { __typename } }`,
      { phone },
      key,
    );
  return data.createService.service.id;
}

/** Starts a conversation; the whole answer, the conversation of it as a `Talk`. */
export async function start(app: App, input: Record<string, unknown>, key = app.key) {
  const { data, errors } = await app.ask(
    `mutation ($input: StartConversationInput!) { done: startConversation(input: $input) ${answer} }`,
    { input: { reason: 'Check-up', ...input } },
    key,
  );
  return told(data, errors);
}

/** Sends a message; the whole answer. */
export async function send(app: App, conversationId: string, body: string) {
  const { data, errors } = await app.ask(
    `mutation ($id: ID!, $body: String!) { done: sendMessage(conversationId: $id, body: $body) ${answer} }`,
    { id: conversationId, body },
  );
  return told(data, errors);
}

/** Closes a conversation; the whole answer. */
export async function close(app: App, id: string) {
  const { data, errors } = await app.ask(
    `mutation ($id: ID!) { done: closeConversation(id: $id) ${answer} }`,
    {
      id,
    },
  );
  return told(data, errors);
}

function told(data: Answer['data'], errors: Answer['errors']) {
  expect(errors).toBeUndefined();
  const { conversation, ...rest } = data.done;
  return conversation ? { ...rest, talk: talkOf(conversation) } : rest;
}

/** A conversation as it is now. */
export async function talk(app: App, id: string): Promise<Talk> {
  const { data, errors } = await app.ask(
    `query ($id: ID!) { conversation(id: $id) { ${conversationFields} } }`,
    {
      id,
    },
  );
  expect(errors).toBeUndefined();
  return talkOf(data.conversation);
}

/** The conversations of a patient, oldest first. */
export async function talksOf(app: App, patientId: string): Promise<Talk[]> {
  const rows = await app.world.find<{ id: string }>(conversations.table, { patientId: { eq: patientId } });
  const ids = rows.map(({ id }) => id).toSorted();
  return Promise.all(ids.map((id) => talk(app, id)));
}

/** Waits until the last message of a conversation has one of these statuses. */
export const becomes = (app: App, id: string, ...statuses: string[]): Promise<Talk> =>
  eventually(async () => {
    const seen = await talk(app, id);
    if (statuses.includes(seen.texts.at(-1)?.status ?? '')) return seen;
    throw new Error(JSON.stringify(seen.texts.at(-1)));
  }, 10_000);

let sids = 0;

/** A sid as the carrier makes them; each is another one. */
export const newSid = (): string => `SM${(sids += 1).toString(16).padStart(32, '0')}`;

/** Posts a callback as the carrier does; with `signature` as somebody else does. Answers the HTTP status. */
export async function post(
  app: App,
  path: string,
  given: Record<string, string>,
  signature?: string,
): Promise<number> {
  const parameters = { AccountSid: account.sid, ApiVersion: '2010-04-01', ...given };
  const url = `${app.url}${path}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': signature ?? twilio.getExpectedTwilioSignature(account.token, url, parameters),
    },
    body: new URLSearchParams(parameters).toString(),
  });
  await response.arrayBuffer();
  return response.status;
}

/** A person texts one of our numbers: told by the carrier as it tells it. Answers the HTTP status. */
export const text = (
  app: App,
  from: string,
  body: string,
  more: Record<string, string> = {},
): Promise<number> =>
  post(app, '/carrier/messages', {
    MessageSid: newSid(),
    From: from,
    To: ours,
    Body: body,
    NumSegments: '1',
    ...more,
  });

/** What the carrier was asked to text to this number, and whether it agreed. */
export const texted = async (app: App, to: string) =>
  (
    (await app.ledger()) as {
      kind: string;
      accepted: boolean;
      to: string;
      from: string;
      params?: Record<string, string>;
    }[]
  )
    .filter((entry) => entry.kind === 'text' && entry.to === to)
    .map(({ accepted, from, params }) => ({ accepted, from, body: params?.['Body'] ?? '', params }));
