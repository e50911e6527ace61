import type { Payload } from './trigger-run.ts';

/** Where the type of an event stands, in this order. */
const typeKeys = ['type', 'event_type', 'event', 'action'];

/** What a signed body says: its type, what it brings (its data, else all of it), and whom it is about. */
export function payloadOf(body: Record<string, unknown>): Payload {
  const type = typeKeys.map((key) => body[key]).find((value) => typeof value === 'string') ?? null;
  const data = isObject(body['data']) ? body['data'] : body;
  return { type, data, patient: patientIn(body) ?? patientIn(data) };
}

/** Whom something is about, as it says itself. */
export function patientIn(data: Record<string, unknown>): Payload['patient'] {
  const id = data['patientId'] ?? data['patient_id'];
  if (typeof id === 'string' && uuid.test(id)) return { patientId: id.toLowerCase() };
  const canonical = data['patientCanonicalId'] ?? data['patient_canonical_id'];
  return typeof canonical === 'string' ? { patientCanonicalId: canonical } : null;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a value is a JSON object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
