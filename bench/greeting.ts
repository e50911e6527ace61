/**
 * How soon whoever answers is greeted, and whether the agent was ready before.
 *
 *   npm run bench -- greeting -- [ONE BY ONE] [AT ONCE]      60 calls one after another, then 200 at once
 *
 * A whole program on a Postgres and a nats-server of its own, and a simulated carrier in the same process; each phone rings
 * for 1.25 seconds. Measured by the carrier: from the answer, through its request for TwiML and the handshake of the
 * WebSocket, to the first word that it is sent. Exits with 1 past 100 ms one by one, 300 ms at once (95 of 100), or where
 * anybody answered before the agent was ready. The machine should do nothing else; what it does besides is printed.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../src/config.ts';
import { table as calls, type Call } from '../src/domain/call.ts';
import { startProgram, type Program } from '../src/program.ts';
import { startCarrier, type Carrier } from '../src/simulator/carrier.ts';
import { personAt } from '../src/simulator/people.ts';
import { eventually } from '../test/support/eventually.ts';
import { ask, type Answer } from '../test/support/program.ts';

const [oneByOne = 60, atOnce = 200] = process.argv.slice(2).map(Number);
const ours = '+14155550199';
const key = 'bench-key-bench-key-bench-key';
const account = { accountSid: `AC${'b'.repeat(32)}`, authToken: 'secret-of-the-bench' };
const say = (line: string) => process.stdout.write(`${line}\n`);

/** The value that so many of a hundred do not exceed. */
const percentile = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;

/** People who listen, say nothing, and stay until they are hung up on. */
const openCarrier = (): Promise<Carrier> =>
  startCarrier({
    ...account,
    port: 0,
    pace: 2,
    callsPerSecond: 40,
    meet: () => ({ ...personAt('+14155550100', 1), staysSeconds: 600, says: [{ isSilent: true }] }),
  });

const openProgram = (carrier: Carrier, dataDir: string): Promise<Program> =>
  startProgram(
    readConfig({
      PORT: '0',
      DEMO: '0',
      DATA_DIR: dataDir,
      ADMIN_API_KEY: key,
      CLOCK_START: '2026-03-03T19:00:00Z',
      TWILIO_API_URL: carrier.url,
      TWILIO_ACCOUNT_SID: account.accountSid,
      TWILIO_AUTH_TOKEN: account.authToken,
      CARRIER_CPS: '40',
      SOURCE_NUMBER_CALLS_PER_MINUTE: '100000',
      API_KEY_REQUESTS_PER_MINUTE: '100000',
      PATH: process.env['PATH'],
    }),
    () => {},
  );

/** Asks the API for one thing; answers its payload. */
async function request(program: Program, query: string, variables = {}): Promise<Answer['data']> {
  const { data, errors } = await ask(program.url, { query, variables, key });
  if (errors) throw new Error(errors[0]!.message);
  return data;
}

/** A call that the carrier has taken. */
interface Placed {
  id: string;
  sid: string;
}

async function place(program: Program, index: number): Promise<Placed> {
  const person = { firstName: 'Rosa', lastName: `Delgado ${index}`, birthDate: '1951-03-14' };
  const phoneTo = `+1212600${1000 + index}`;
  const input = { person, phoneTo, phoneFrom: ours, reason: 'Check-up', basis: 'PRIOR_EXPRESS' };
  const data = await request(
    program,
    `mutation ($input: PlaceCallInput!) { placeCall(input: $input) { __typename ... on PlaceCallPayload { call { id sid } } ... on Error { message } } }`,
    { input },
  );
  if (!data.placeCall.call) throw new Error(data.placeCall.message);
  return data.placeCall.call as Placed;
}

const hangUp = (program: Program, id: string) =>
  request(program, 'mutation ($id: ID!) { cancelCall(id: $id) { __typename } }', { id });

/** What one phase came to. */
interface Phase {
  greetedMs: number[];
  /** How long before the answer the agent was ready; negative: the person waited for it. */
  aheadMs: number[];
}

/** Places so many calls from this number on, as many at once, and waits until everybody is greeted. */
async function greet(
  stage: { program: Program; carrier: Carrier },
  from: number,
  count: number,
): Promise<Phase> {
  const { program, carrier } = stage;
  const placed: Placed[] = [];
  for (let index = 0; index < count; index += 1) placed.push(await place(program, from + index));
  const sids = new Set(placed.map(({ sid }) => sid));
  const greetedMs = await eventually(() => {
    const sessions = carrier
      .ledger()
      .filter(({ kind, callSid }) => kind === 'relay' && sids.has(callSid ?? ''));
    const greeted = sessions.flatMap(({ greetedMs: waitedMs }) => waitedMs ?? []);
    return greeted.length === count ? greeted : null;
  }, 60_000);
  const rows = await program.world.find<Call>(calls, { id: { in: placed.map(({ id }) => id) } });
  const aheadMs = rows.map(({ answeredAt, context }) => answeredAt!.getTime() - Date.parse(context!.readyAt));
  for (const { id } of placed) await hangUp(program, id);
  return { greetedMs, aheadMs };
}

/** Measures a phase, and prints it with what the machine did meanwhile. */
async function measure(name: string, phase: () => Promise<Phase>): Promise<{ p95: number; late: number }> {
  const begun = { at: performance.now(), cpu: process.cpuUsage() };
  const { greetedMs, aheadMs } = await phase();
  const { user, system } = process.cpuUsage(begun.cpu);
  const busyMs = (user + system) / 1000;
  const share = busyMs / (performance.now() - begun.at);
  const [p50, p95, worst] = [0.5, 0.95, 1].map((part) => percentile(greetedMs, part));
  const late = aheadMs.filter((ahead) => ahead < 0).length;
  say(`${name}: p50 ${p50} ms, p95 ${p95} ms, worst ${worst} ms of ${greetedMs.length}`);
  say(`  ready before the answer by p5 ${percentile(aheadMs, 0.05)} ms at least; too late ${late}`);
  say(
    `  this process: ${(busyMs / greetedMs.length).toFixed(0)} ms of CPU a call, ${(100 * share).toFixed(0)}% of a core; load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`,
  );
  return { p95: p95!, late };
}

const dataDir = mkdtempSync(join(tmpdir(), 'callwell-greeting-'));
chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
const carrier = await openCarrier();
const program = await openProgram(carrier, dataDir);
try {
  await request(
    program,
    `mutation { createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello from the clinic." }) { __typename }
      registerPhoneNumber(input: { phone: "${ours}" }) { __typename } }`,
  );
  const stage = { program, carrier };
  await greet(stage, 0, 3); // what is loaded and compiled at the first call
  const alone = await measure('one at a time', async () => {
    const all: Phase = { greetedMs: [], aheadMs: [] };
    for (let index = 0; index < oneByOne; index += 1) {
      const { greetedMs, aheadMs } = await greet(stage, 10 + index, 1);
      all.greetedMs.push(...greetedMs);
      all.aheadMs.push(...aheadMs);
    }
    return all;
  });
  const together = await measure(`${atOnce} at once`, () => greet(stage, 1_000, atOnce));
  const isMet = alone.p95 < 100 && together.p95 <= 300 && alone.late + together.late === 0;
  process.exitCode = isMet ? 0 : 1;
} finally {
  await program.stop();
  await carrier.close();
  rmSync(dataDir, { recursive: true, force: true });
}
