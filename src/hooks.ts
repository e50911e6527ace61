import { newId, type Clock } from './clock.ts';
import { hashOf } from './domain/hash.ts';
import { verify, type Received } from './domain/signature.ts';
import { isStorable } from './domain/storable.ts';
import * as triggers from './domain/trigger.ts';
import type { Trigger } from './domain/trigger.ts';
import { isObject, payloadOf } from './domain/webhook-body.ts';
import { secretsOf } from './secret.ts';
import { enqueue } from './trigger/queue.ts';
import type { Triggers } from './trigger.ts';
import type { Answered } from './webhooks.ts';
import type { World } from './world.ts';

/** What events of other systems are taken with. */
interface Tools {
  world: World;
  clock: Clock;
  triggers: Pick<Triggers, 'wake'>;
}

const path = /^\/hooks\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** Takes events that other systems post to triggers: verified, recorded and answered; what follows from them comes after. */
export function openHooks({ world, clock, triggers: runner }: Tools) {
  /**
   * 202: recorded. 200: it had been. 403: not signed, forged, or stale. 404: no such webhook. 400: no JSON object.
   * 422: a type that is not accepted. 409: the trigger is paused. Nothing but 202 changes anything.
   */
  return async function take(pathAndQuery: string, received: Received): Promise<Answered> {
    const id = path.exec(pathAndQuery.split('?')[0] ?? '')?.[1]?.toLowerCase();
    const now = clock.now();
    const secrets = id ? await secretsOf(world, id, now) : [];
    const [first] = secrets;
    if (!id || !first) return refused(404, 'There is no such webhook.');
    const sent = verify(
      received,
      secrets.map(({ secret }) => secret),
      now,
    );
    if (sent === undefined) return refused(403, 'The signature or its timestamp is not valid.');
    const here = { workspaceId: { eq: first.workspaceId }, id: { eq: id } };
    const trigger = await world.findOne<Trigger>(triggers.table, here);
    if (!trigger || trigger.deletedAt) return refused(404, 'There is no such webhook.');
    const body = parse(received.body);
    if (!body) return refused(400, 'The body must be a JSON object.');
    const payload = payloadOf(body);
    if (!accepts(trigger, payload.type)) return refused(422, 'Events of this type are not accepted here.');
    if (!trigger.active) return refused(409, 'This webhook is paused.');
    const cause = `webhook ${sent === null ? hashOf(received.body.toString('base64')) : hashOf(sent)}`;
    const of = {
      workspaceId: trigger.workspaceId,
      triggerId: id,
      patientId: null,
      firedBy: 'webhook',
      depth: 1,
    };
    const made = await enqueue(world, [{ ...of, id: newId(now), eventId: newId(now), cause, payload }], now);
    if (made.length === 0) return { status: 200, body: 'This event is known.' };
    runner.wake();
    return { status: 202, body: 'Recorded.' };
  };
}

const refused = (status: number, body: string): Answered => ({ status, body });

const accepts = ({ acceptedEventTypes }: Trigger, type: string | null): boolean =>
  acceptedEventTypes.length === 0 || (type !== null && acceptedEventTypes.includes(type));

/** The object that a body is; null: it is none, or nothing that Postgres can hold. */
function parse(body: Buffer): Record<string, unknown> | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text);
    return isObject(value) && isStorable(value) ? value : null;
  } catch {
    return null;
  }
}
