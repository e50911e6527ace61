import twilio from 'twilio';
import { expect } from 'vitest';

import { startCarrier, type Carrier, type CarrierOptions } from '../../src/simulator/carrier.ts';
import { openReceiver, type Receiver } from './simulator-receiver.ts';

/** The one account of the simulated carriers of tests. */
export const ACCOUNT_SID = `AC${'a'.repeat(32)}`;
/** Its secret. */
export const AUTH_TOKEN = 'secret-of-the-simulated-account';
/** A number of the account's. */
export const FROM = '+12025550199';

/** A carrier, and a customer that receives its webhooks. */
export interface Scene {
  readonly carrier: Carrier;
  readonly receiver: Receiver;
}

/** Plays with a carrier whose people are quick, and expects that every webhook of its was signed. */
export async function withSimulatedCarrier(
  options: Partial<CarrierOptions>,
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const receiver = await openReceiver(AUTH_TOKEN);
  const carrier = await startCarrier({
    port: 0,
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    pace: 100,
    callsPerSecond: 1000,
    ...options,
  });
  try {
    await play({ carrier, receiver });
    expect(receiver.forged).toEqual([]);
  } finally {
    await carrier.close();
    await receiver.close();
  }
}

/** A number by its last four digits; a whole one stays as it is. */
export function numberOf(to: string): string {
  return to.startsWith('+') ? to : `+1415555${to}`;
}

/** The official SDK, pointed at a carrier. */
export function clientOf(url: string): twilio.Twilio {
  const client = twilio(ACCOUNT_SID, AUTH_TOKEN, { timeout: 5000 });
  client.api.baseUrl = url;
  return client;
}

/** What an API call is refused with. */
export async function refusalOf(
  work: Promise<unknown>,
): Promise<{ status?: number; code?: unknown; message: string }> {
  return await work.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: { status?: number; code?: unknown; message: string }) => error,
  );
}

/** A request without the SDK; its answer with the JSON of its body. */
export async function raw(url: string, method: string, headers: Record<string, string>, body?: string) {
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) });
  return { response, body: (await response.json()) as Record<string, unknown> };
}

/** The account's name and secret, as a header. */
export const SIGNED_IN = { authorization: `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}` };
