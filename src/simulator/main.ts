import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';

import { openClock } from '../clock.ts';
import { readBirthDates } from './birth-dates.ts';
import { startCarrier } from './carrier.ts';

/** Runs a simulated carrier as a process of its own, until SIGTERM or SIGINT. */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4001' },
    host: { type: 'string', default: '127.0.0.1' },
    'account-sid': { type: 'string' },
    'auth-token': { type: 'string' },
    pace: { type: 'string', default: '1' },
    'calls-per-second': { type: 'string', default: '10' },
    'clock-start': { type: 'string' },
    people: { type: 'string' },
    'message-url': { type: 'string' },
    'voicemail-key': { type: 'string' },
    'voicemail-secret': { type: 'string' },
    'voicemail-webhook-url': { type: 'string' },
  },
});

const birthDates = values.people === undefined ? null : readBirthDates(readFileSync(values.people, 'utf8'));

const carrier = await startCarrier({
  port: numberOf('port', 0),
  host: values.host,
  accountSid: given('account-sid'),
  authToken: given('auth-token'),
  pace: numberOf('pace', Number.MIN_VALUE),
  callsPerSecond: numberOf('calls-per-second', Number.MIN_VALUE),
  clock: openClock(clockStart()),
  birthDateOf: ({ to }) => Promise.resolve(birthDates?.get(to) ?? null),
  ...asked({
    messageUrl: values['message-url'],
    voicemailKey: values['voicemail-key'],
    voicemailSecret: values['voicemail-secret'],
    voicemailWebhookUrl: values['voicemail-webhook-url'],
  }),
  log: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`simulated carrier on ${carrier.url}\n`);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => void carrier.close());
}

/** ISO 8601: the same as CLOCK_START of the product that calls through it, so that their dates agree. */
function clockStart(): Date | null {
  const value = values['clock-start'];
  if (value === undefined) return null;
  const start = new Date(value);
  if (Number.isNaN(start.getTime())) throw new Error(`--clock-start is ${value}, expected an instant`);
  return start;
}

function given(name: 'account-sid' | 'auth-token'): string {
  const value = values[name];
  if (!value) throw new Error(`--${name} is missing`);
  return value;
}

function numberOf(name: 'port' | 'pace' | 'calls-per-second', least: number): number {
  const value = Number(values[name]);
  if (!(value >= least)) throw new Error(`--${name} is ${values[name]}, expected a number`);
  return value;
}

/** Options that were given. */
function asked<T extends Record<string, string | undefined>>(options: T): { [K in keyof T]?: string } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: string };
}
