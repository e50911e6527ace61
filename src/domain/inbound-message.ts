/** Texts of people that belong to no conversation yet: nobody is known at their number, or several are. */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { partialIndex } from './event.ts';
import { termsOf, type Patient } from './patient.ts';

/** Texts that are parked. Once it is known who wrote, they become messages of a conversation and leave here; what is put away stays. */
export const table = defineEntity({
  name: 'InboundMessage',
  tableName: 'inbound_message',
  properties: {
    workspaceId: p.uuid().primary(),
    /** The carrier's id. */
    sid: p.text().primary(),
    id: p.uuid(),
    /** Whose number it came from, and which of ours it went to. */
    phone: p.text(),
    phoneFrom: p.text(),
    body: p.text(),
    segments: p.integer(),
    at: p.datetime(),
    /** Whether several people are known at the number, so that one of them may have written it. */
    isShared: p.boolean(),
    /** What we answered to it: the question who writes, or the confirmation of an opt-out. Null: nothing. */
    answer: p.text().nullable(),
    /** The carrier's id of the answer; null: it was not sent, or nobody knows. */
    answerSid: p.text().nullable(),
    /** When somebody put it away, and whose key that was; null: it waits. */
    dismissedAt: p.datetime().nullable(),
    dismissedBy: p.text().nullable(),
  },
  indexes: [
    { name: 'inbound_message_line', properties: ['workspaceId', 'phone', 'phoneFrom', 'id'] },
    partialIndex('inbound_message_parked', 'inbound_message (workspace_id, id)', 'dismissed_at is null'),
  ],
});
/** One parked text. */
export interface InboundMessage extends InferEntity<typeof table> {}

/** For how long the question who writes waits for its answer: a day, in milliseconds. Then it may be asked again. */
export const questionMs = 86_400_000;

/** What people say beside their name when they are asked for it. */
const around = new Set(
  'hi hello hey this is its it s i im m am my name the here speaking hola soy me llamo es mi nombre habla yo'.split(
    ' ',
  ),
);

/**
 * The one of several people whom an answer names: by the full name, or by a first name that no other of them has, and
 * nothing else but how one says one's name. Null: nobody, or more than one; it is never guessed.
 */
export function namedBy<P extends Pick<Patient, 'name'>>(text: string, people: readonly P[]): P | null {
  const said = termsOf(text).filter((word) => !around.has(word));
  if (said.length === 0) return null;
  const spelled = said.join(' ');
  const full = people.filter(({ name }) => termsOf(name).join(' ') === spelled);
  if (full.length > 0) return full.length === 1 ? full[0]! : null;
  const first = people.filter(({ name }) => termsOf(name)[0] === spelled);
  return first.length === 1 ? first[0]! : null;
}
