import type { ChildProcess } from 'node:child_process';
import { expect, test } from 'vitest';
import { thatTuesday } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { exhaustive } from '../support/exhaustive.ts';
import { areas, isKilled, kill, rows, withStage, type Lit, type Stage } from '../support/kill-stage.ts';
import { ask, placeCall, testKey } from '../support/program.ts';

const ours = '+14155550149';

/** The one mutation whose way is watched: everything is decided for a person whom nobody knows yet. */
const inputOf = (index: number) => ({
  person: {
    firstName: 'Grace',
    lastName: 'Hopper',
  },
  phoneTo: `+1${areas[index]}5550100`,
  phoneFrom: ours,
  reason: 'Check-up',
  basis: 'PRIOR_EXPRESS',
  idempotencyKey: `key ${index}`,
});

async function place(url: string, index: number) {
  const { data, errors } = await ask(url, {
    query: placeCall,
    variables: { input: inputOf(index) },
    key: testKey,
  });
  expect(errors).toBeUndefined();
  return data.placeCall;
}

/**
 * The deaths between the first message and the last, of as many messages, of which one is the carrier's: where what is
 * lasting changes. Exhaustively before every message: those that only read are then among them.
 */
function deathsAround(carrier: number, last: number): Lit[] {
  const before = exhaustive
    ? Array.from({ length: last - 1 }, (_, index) => index + 1)
    : [1, carrier - 1, carrier, carrier + 1]; // nothing is written, nor the intent; the carrier is not asked; its answer is not kept
  return [
    ...before.map((left): Lit => ({ left, moment: 'before', only: null })),
    { left: carrier - 1, moment: 'after', only: null }, // the intent is written, and nobody was told
    { left: 1, moment: 'after', only: 'carrier' }, // the carrier has taken it, and its answer is not heard
  ];
}

test('however a process dies while it places a call, nobody is dialled twice and every call comes to its end', async () => {
  await withStage(async (stage) => {
    await kill(await prepared(stage), 'SIGTERM'); // leaves its compiled code to the others
    let index = -1;
    const killedAt = (lit: Lit) => isKilledAt(stage, (index += 1), lit);
    // The first one comes through, and tells how many messages a call takes.
    expect(await killedAt({ left: 1_000, moment: 'before', only: null })).toBe(false);
    const { sent } = stage.fuse;
    const carrier = sent.indexOf('carrier') + 1;
    // The intent is written before the one question to the carrier, and its answer after it.
    expect(sent.filter((peer) => peer === 'carrier')).toHaveLength(1);
    expect([sent.at(0), sent.at(-1)]).toEqual(['database', 'database']);
    expect(sent.length).toBeGreaterThan(10);
    // How many there are differs from run to run: statements may go out in one piece or in two, connections are opened once, and
    // when a key was last used is written once a minute. So whoever came through is killed a message earlier.
    const last: Lit = { left: sent.length + 1, moment: 'after', only: null };
    for (const lit of [...deathsAround(carrier, sent.length), last]) {
      let left = lit.left ?? 0;
      while (left > 0 && !(await killedAt({ ...lit, left }))) left -= 1;
      expect([lit, left]).not.toEqual([lit, 0]);
    }
    // Two minutes later all patience is over.
    await stage.start({ CLOCK_START: thatTuesday(120_000) });
    await eventually(async () => {
      const open = `select status from call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`;
      expect(await rows(stage, open)).toEqual([]);
      return true;
    }, 30_000);
    await check(stage, index + 1);
  });
}, 600_000);

/** Asks a new process for a call and kills it on the way; false when it came through. */
async function isKilledAt(stage: Stage, index: number, lit: Lit): Promise<boolean> {
  const before = async () => {
    if (index > 0) expectAnswer(await place(stage.url, index - 1)); // whoever was cut off asks again at once
  };
  return isKilled(stage, lit, { before, work: () => place(stage.url, index) });
}

/** Sets up the workspace. */
async function prepared(stage: Stage): Promise<ChildProcess> {
  const child = await stage.start({});
  const { errors } = await ask(stage.url, {
    query: `mutation ($phone: E164!) {
      createService(input: { name: "Care", systemPrompt: "", greeting: "Hello." }) { __typename }
      registerPhoneNumber(input: { phone: $phone }) { __typename } }`,
    variables: { phone: ours },
    key: testKey,
  });
  expect(errors).toBeUndefined();
  return child;
}

/** Right after a kill: the call is placed now, or told as it stands, or nobody knows yet. */
function expectAnswer(answer: { __typename: string; code?: string }): void {
  if (answer.__typename !== 'PlaceCallPayload') expect(answer.code).toBe('IDEMPOTENCY_IN_PROGRESS');
}

/** What must hold of every call once all is quiet, and that asking again changes nothing. */
async function check(stage: Stage, count: number): Promise<void> {
  const before = await stage.ledger();
  for (let index = 0; index < count; index += 1) {
    const { phoneTo } = inputOf(index);
    const created = before.filter(
      ({ kind, accepted, to }) => kind === 'create' && accepted && to === phoneTo,
    );
    expect({ phoneTo, created: created.length }).toEqual({ phoneTo, created: Math.min(created.length, 1) });
    const [sid = null] = created.map(({ callSid }) => callSid);
    const status = sid === null ? 'FAILED' : 'COMPLETED';
    const answer = await place(stage.url, index);
    expect(answer).toMatchObject({ __typename: 'PlaceCallPayload', replayed: true });
    expect(answer.call).toMatchObject({ phoneTo, status, sid });
  }
  expect((await stage.ledger()).filter(({ kind }) => kind === 'create')).toEqual(
    before.filter(({ kind }) => kind === 'create'),
  );
  const [counts] = await rows(
    stage,
    `select (select count(*)::int from call) as calls, (select count(*)::int from patient) as patients,
      (select count(*)::int from contact) as contacts, (select count(*)::int from idempotency_key) as keys,
      (select count(*)::int from contact, jsonb_array_elements(attempts) a where a->>'endedAt' is null) as open`,
  );
  expect(counts).toEqual({ calls: count, patients: count, contacts: count, keys: count, open: 0 });
}
