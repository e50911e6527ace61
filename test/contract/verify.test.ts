/** Whoever changes what was recorded is found out: the command names the first event that does not fit. */
import { execFile } from 'node:child_process';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import * as patients from '../../src/domain/patient.ts';
import type { World } from '../../src/world.ts';
import { verifyLog } from '../../src/world/verify.ts';
import { withWorld } from '../support/database.ts';

const now = new Date('2026-03-02T15:00:00Z');
const workspaceId = newId(now);
const by = { workspaceId, actor: 'test', source: 'api' as const, now };

/** Ten patients, each registered with data of every kind that JSON has; the events' ids in the order of the log. */
async function tenEvents(world: World): Promise<string[]> {
  for (let index = 0; index < 10; index += 1) {
    const facts = { 'lab.a1c': 1e-7 + index, note: 'naïve "q" \\ \u2028 €', nested: [{ b: 1, a: null }] };
    const attributes = { name: `Person ${index}`, phone: `+1415555019${index}`, facts };
    await world.change(
      patients,
      newId(now),
      (patient) => patients.state(patient, { attributes: attributes as never, source: 'api' }),
      by,
    );
  }
  while ((await world.sequence(await world.logEnd(), 3)).placed.length > 0);
  const rows = await world.query<{ id: string }>(
    sql`select t.id from event_log l join event t on t.position = l.position order by l.global_seq`,
  );
  return rows.map(({ id }) => id);
}

/** The verification of a log of whose events something was changed behind the program's back. */
async function after(tamper: (events: string[]) => ReturnType<typeof sql>[]) {
  return withWorld(async (world) => {
    const events = await tenEvents(world);
    for (const statement of tamper(events)) await world.query(statement);
    const { fault, end } = await verifyLog(world);
    return { fault, end, named: fault && (fault.eventId ? events.indexOf(fault.eventId) + 1 : null) };
  });
}

const at = (place: number) => sql`position = (select position from event_log where global_seq = ${place})`;

test('a log that nobody has touched is whole, page by page, and what waits for its place is no fault', async () => {
  await withWorld(async (world) => {
    await tenEvents(world);
    await world.change(
      patients,
      newId(now),
      (patient) => patients.state(patient, { attributes: { name: 'Late' }, source: 'api' }),
      by,
    );
    const told: number[] = [];
    const { end, fault } = await verifyLog(world, { page: 4, told: (cursor) => told.push(cursor) });
    expect(fault).toBeNull();
    expect([told, end.cursor]).toEqual([[4, 8, 10], 10]);
  });
});

test.each([
  ['what was said', sql`data = data || '{"name": "Mallory"}'`, 'Its data'],
  ['what was said, emptied', sql`data = '{}'`, 'Its data'],
  ['what was said, with its hash', sql`data = '{}', data_hash = repeat('0', 64)`, 'Its data'],
  ['who did it', sql`actor = 'somebody else'`, 'It is not'],
  ['when it was recorded', sql`recorded_at = recorded_at - interval '1 second'`, 'It is not'],
  ['when it was true', sql`effective_at = effective_at - interval '1 day'`, 'It is not'],
  ['how sure it is', sql`confidence = 0.5`, 'It is not'],
  ['what it was', sql`type = 'patient.updated'`, 'It is not'],
  ['whose it is', sql`patient_id = gen_random_uuid()`, 'It is not'],
  ['what caused it', sql`causation_id = gen_random_uuid()`, 'It is not'],
])('names the event of which %s was changed', async (_what, change, why) => {
  const { fault, named, end } = await after(() => [sql`update event set ${change} where ${at(4)}`]);
  expect([named, fault?.cursor, end.cursor]).toEqual([4, 4, 3]);
  expect(fault?.what).toContain(why);
});

test('names the place of an event that was removed, from the table or from the log', async () => {
  const fromTable = await after(() => [sql`delete from event where ${at(6)}`]);
  expect(fromTable.fault).toMatchObject({
    cursor: 6,
    eventId: null,
    what: 'The event at this place is gone.',
  });
  const fromLog = await after(() => [sql`delete from event_log where global_seq = 6`]);
  expect(fromLog.fault).toMatchObject({ cursor: 6, eventId: null, what: 'Its place is gone from the log.' });
});

test('names the event after one that was removed as if it had never been', async () => {
  const closed = await after(() => [
    sql`delete from event where ${at(6)}`,
    sql`delete from event_log where global_seq = 6`,
    sql`update event_log set global_seq = -global_seq where global_seq > 6`,
    sql`update event_log set global_seq = -global_seq - 1 where global_seq < 0`,
  ]);
  expect([closed.named, closed.fault?.cursor]).toEqual([7, 6]);
});

test('names the first of two events that have changed places', async () => {
  const swapped = await after(() => [
    sql`alter table event_log drop constraint event_log_position_unique`,
    sql`update event_log l set position = o.position from event_log o
      where (l.global_seq, o.global_seq) in ((3, 5), (5, 3))`,
  ]);
  expect([swapped.named, swapped.fault?.cursor]).toEqual([5, 3]);
});

test('names an event that was put into the table and recorded by nobody', async () => {
  const { fault } = await after(([first]) => [
    sql`insert into event select (jsonb_populate_record(null::event, to_jsonb(e) || jsonb_build_object(
      'id', gen_random_uuid(), 'version', 2, 'position', 1000000))).* from event e where id = ${first}`,
  ]);
  expect(fault).toMatchObject({ cursor: null, what: 'It has no place in the log, and waits for none.' });
});

test('a hash that was kept elsewhere finds a log whose end was cut off, or that was written anew', async () => {
  await withWorld(async (world) => {
    await tenEvents(world);
    const { end: anchor } = await verifyLog(world);
    await world.query(sql`delete from event where ${at(10)}`);
    await world.query(sql`delete from event_log where global_seq = 10`);
    expect((await verifyLog(world)).fault).toBeNull(); // nothing within a chain tells that it was longer
    expect((await verifyLog(world, { anchor })).fault).toMatchObject({ cursor: 10 });
    const forged = { cursor: 9, hash: 'f'.repeat(64) };
    expect((await verifyLog(world, { anchor: forged })).fault).toMatchObject({ cursor: 9 });
  });
});

test('the erasure of a person leaves it whole, and excuses nobody else', async () => {
  await withWorld(async (world) => {
    await tenEvents(world);
    const [row] = await world.query<{ patientId: string }>(
      sql`update event set data = '{}' where ${at(2)} returning patient_id as "patientId"`,
    );
    const isErased = (patientId: string) => patientId === row!.patientId;
    expect((await verifyLog(world, { isErased })).fault).toBeNull();
    await world.query(sql`update event set data = '{}' where ${at(3)}`);
    expect((await verifyLog(world, { isErased })).fault).toMatchObject({ cursor: 3 });
  });
});

test('the command says that the log is whole, or names the event and exits with 1', async () => {
  await withWorld(async (world, databaseUrl) => {
    const events = await tenEvents(world);
    const whole = await verify(databaseUrl);
    expect([whole.code, whole.output]).toEqual([
      0,
      expect.stringMatching(/whole. It ends at 10:[0-9a-f]{64}/),
    ]);
    expect((await verify(databaseUrl, /10:\w+/.exec(whole.output)![0])).code).toBe(0);
    await world.query(sql`update event set actor = 'somebody else' where ${at(8)}`);
    const broken = await verify(databaseUrl);
    expect([broken.code, broken.output]).toEqual([
      1,
      expect.stringContaining(`event ${events[7]} at place 8`),
    ]);
    expect((await verify(databaseUrl, 'nonsense')).code).toBe(2);
  });
});

const verify = (databaseUrl: string, ...anchor: string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: databaseUrl };
    execFile(process.execPath, ['src/verify.ts', ...anchor], { env }, (error, output) =>
      resolve({ code: Number(error?.code ?? 0), output }),
    );
  });
