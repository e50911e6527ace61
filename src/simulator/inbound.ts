import { isE164 } from './form.ts';
import type { Inbox } from './inbox.ts';
import { readObject } from './json.ts';
import type { Answer } from './resource-api.ts';

/** `POST /inbound`, `{from, to, body, sid?}`: a person texts one of our numbers. 202 `{sid}` before it is told. */
export function receiveText(inbox: Inbox, json: string): Answer {
  const { from, to, body, sid } = readObject(json) ?? {};
  const isText =
    typeof from === 'string' &&
    typeof to === 'string' &&
    typeof body === 'string' &&
    isE164(from) &&
    isE164(to);
  if (!isText || !(sid === undefined || typeof sid === 'string')) {
    return { status: 400, body: { message: 'expected JSON {from, to, body, sid?} with numbers in E.164' } };
  }
  if (!inbox.isWanted()) return { status: 409, body: { message: 'the numbers have no URL for messages' } };
  return { status: 202, body: { sid: inbox.receive({ from, to, body, sid }) } };
}
