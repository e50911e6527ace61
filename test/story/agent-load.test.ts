import { expect, test } from 'vitest';
import { table as calls } from '../../src/domain/call.ts';
import { startCarrier } from '../../src/simulator/carrier.ts';
import { personAt } from '../../src/simulator/people.ts';
import { eventually } from '../support/eventually.ts';
import { exhaustive } from '../support/exhaustive.ts';
import { placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { ACCOUNT_SID, AUTH_TOKEN } from '../support/simulated-carrier.ts';

const ours = '+14155550199';
const limits = { SOURCE_NUMBER_CALLS_PER_MINUTE: '100000', API_KEY_REQUESTS_PER_MINUTE: '100000' };

/** How many people talk with the agent at the same time; exhaustively as many as one process is promised to serve. */
const crowd = exhaustive ? 200 : 60;

const numberOf = (index: number) => `+1212600${String(1000 + index)}`;

/** The value that so many of a hundred do not exceed. */
const percentile = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1]!;

async function place(app: App, index: number): Promise<string> {
  const person = { firstName: 'Rosa', lastName: `Delgado ${index}` };
  const input = {
    person,
    phoneTo: numberOf(index),
    phoneFrom: ours,
    reason: 'Check-up',
    basis: 'PRIOR_EXPRESS',
  };
  const { data } = await app.ask(placeCall, { input });
  return data.placeCall.call.id as string;
}

const read = async (app: App, id: string): Promise<Answer['data']> =>
  (await app.ask(`query ($id: ID!) { call(id: $id) { status outcome events { type } } }`, { id })).data.call;

/** Everybody answers after 1.25 seconds of ringing, listens, and stays until all have been greeted. */
async function talkWithAll() {
  const carrier = await startCarrier({
    port: 0,
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    pace: 2,
    callsPerSecond: 40,
    meet: () => ({
      ...personAt('+14155550100', 1),
      staysSeconds: 300,
      says: [{ isSilent: true }, { isSilent: true }],
    }),
  });
  const environment = {
    ...limits,
    TWILIO_API_URL: carrier.url,
    TWILIO_ACCOUNT_SID: ACCOUNT_SID,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    SIM_PACE: '1', // the agent is as patient as in life, so that nobody is left before all are greeted
    CARRIER_CPS: '40',
  };
  try {
    return await withApp(async (app) => {
      await setUp(app, ours);
      const ids = [];
      for (let index = 0; index < crowd; index += 1) ids.push(await place(app, index));
      const relays = () => carrier.ledger().filter(({ kind }) => kind === 'relay');
      let most = 0;
      await eventually(async () => {
        most = Math.max(most, await app.world.count(calls, { status: { eq: 'IN_PROGRESS' } }));
        return relays().filter(({ greetedMs }) => greetedMs !== undefined).length === crowd;
      }, 60_000);
      const placed = await Promise.all(ids.map((id) => read(app, id)));
      return { placed, most, greeted: relays().map(({ greetedMs }) => greetedMs!) };
    }, environment);
  } finally {
    await carrier.close();
  }
}

test(
  `${crowd} people are greeted at once, each at once, by an agent that was ready before`,
  { timeout: 240_000 },
  async () => {
    const { placed, most, greeted } = await talkWithAll();
    const p95 = percentile(greeted, 0.95);
    const late = placed.filter(({ events }: Answer['data']) => {
      const types = events.map(({ type }: { type: string }) => type);
      return !(types.indexOf('call.context_ready') < types.indexOf('call.answered'));
    });
    process.stdout.write(
      `${JSON.stringify({ most, p50: percentile(greeted, 0.5), p95, worst: Math.max(...greeted), late: late.length })}\n`,
    );
    expect(late).toEqual([]);
    // 300 on a machine of its own; the suite shares one.
    expect(p95).toBeLessThan(1_000);
    expect(most).toBeGreaterThan(crowd / 2);
  },
);
