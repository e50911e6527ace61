import { sql } from 'kysely';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { hear } from '../../src/domain/call-progress.ts';
import { leadMs } from '../../src/domain/task-progress.ts';
import type { World } from '../../src/world.ts';
import { directCall, numbers, ours, sidOf, withClinic, type Clinic } from './clinic.ts';

const minuteMs = 60_000;
/** The clinic's clock stands at 14:00 in New York until it is moved. */
const opening = (date: string) => new Date(`${date}T13:00:00Z`); // 8:00 in New York, by standard time

/** Locks a row as somebody else, until the answer is called. */
async function hold(databaseUrl: string, table: string, id: string): Promise<() => Promise<void>> {
  const other = new pg.Client({ connectionString: databaseUrl });
  await other.connect();
  await other.query('begin');
  await other.query(`select from ${table} where id = $1 for update`, [id]);
  return async () => {
    await other.query('rollback');
    await other.end();
  };
}

/** Ends every call that is under way, as the carrier would tell it. */
async function endCalls(
  { attempts, calls, by, clock }: Clinic,
  count: number,
  status = 'completed',
): Promise<number> {
  const open = (await calls()).filter(({ endedAt }) => !endedAt).slice(0, count);
  for (const call of open) {
    const heard = { sid: call.sid!, status, at: clock.now(), via: 'callback' as const };
    await attempts.record(call, (current) => hear(current, heard), by());
  }
  return open.length;
}

test('a level of priority is worth five minutes of waiting: a 10 that has waited overtakes a new 1', () =>
  withClinic(async (clinic) => {
    const [ada, ben, cleo, dan] = await Promise.all(numbers(4).map((phone) => clinic.patient(phone)));
    const ten = await clinic.task(ada!, { priority: 10 });
    clinic.clock.advance(20 * minuteMs);
    const five = await clinic.task(ben!, { priority: 5 }); // four levels behind a 1: as if due after 40 minutes
    clinic.clock.advance(25 * minuteMs + 1);
    const one = await clinic.task(cleo!, { priority: 1 }); // the 10 has waited for nine levels, and a millisecond
    const newTen = await clinic.task(dan!, { priority: 10 });
    expect((await clinic.dispatch()).taskIds).toEqual([five, ten, one, newTen]);
  }));

test('a 10 that has not waited for long enough lets a new 1 go first', () =>
  withClinic(async (clinic) => {
    const [ada, ben] = await Promise.all(numbers(2).map((phone) => clinic.patient(phone)));
    const ten = await clinic.task(ada!, { priority: 10 });
    clinic.clock.advance(45 * minuteMs - 1);
    const one = await clinic.task(ben!, { priority: 1 });
    expect((await clinic.dispatch()).taskIds).toEqual([one, ten]);
  }));

test.each(['outbound_task', 'contact', 'patient'])(
  'what somebody else holds in %s is left alone, and taken in the next round',
  (table) =>
    withClinic(async (clinic) => {
      const [held, free] = await clinic.tasksAt(numbers(2));
      const { patientId, phone } = await clinic.taskOf(held!);
      const [contact] = await clinic.world.query<{ id: string }>(
        sql`select id from contact where phone = ${phone}`,
      );
      const ids: Record<string, string> = { outbound_task: held!, contact: contact!.id, patient: patientId };
      // It is let go only after the round: whoever waited for it would never get that far.
      const letGo = await hold(clinic.databaseUrl, table, ids[table]!);
      const first = await clinic.dispatch();
      expect(first).toMatchObject({ taskIds: [free], blocked: 0 });
      expect(await clinic.taskOf(held!)).toMatchObject({ status: 'SCHEDULED', version: 1 });
      await letGo();
      expect((await clinic.dispatch()).taskIds).toEqual([held]);
    }),
);

test('of two workspaces that know one number, what is held in the other is not taken for unknown', () =>
  withClinic(async (clinic) => {
    const [shared, held] = numbers(2);
    const nextDoor = await clinic.neighbour('+14155550198');
    await clinic.tasksAt([shared!]);
    await nextDoor.tasksAt([shared!]);
    const [waiting] = await clinic.tasksAt([held!]);
    const [contact] = await clinic.world.query<{ id: string }>(
      sql`select id from contact where phone = ${held}`,
    );
    const letGo = await hold(clinic.databaseUrl, 'contact', contact!.id);
    expect(await clinic.dispatch()).toMatchObject({ blocked: 0, taskIds: { length: 2 } });
    expect(await clinic.taskOf(waiting!)).toMatchObject({ status: 'SCHEDULED' });
    await letGo();
    expect((await clinic.dispatch()).taskIds).toEqual([waiting]);
  }));

test('two replicas at once dispatch each task once', () =>
  withClinic(async (clinic) => {
    const ids = await clinic.tasksAt(numbers(60));
    const { attempts } = await clinic.replica();
    let rounds = 0;
    do {
      await Promise.all([clinic.dispatch(), clinic.dispatch(attempts), clinic.dispatch(attempts)]);
      rounds += 1;
    } while (clinic.carrier.orders.length < ids.length && rounds < 10);
    expect(clinic.carrier.orders.map(({ to }) => to).toSorted()).toEqual(numbers(60));
    expect((await clinic.calls()).map(({ taskId }) => taskId ?? '').toSorted()).toEqual(ids.toSorted());
    for (const id of ids)
      expect(await clinic.taskOf(id)).toMatchObject({ status: 'DISPATCHED', attempts: 1 });
  }));

test('the attempt and the call are committed before the carrier is asked', () =>
  withClinic(async (clinic) => {
    const { world } = await clinic.replica();
    const seen: string[][] = [];
    clinic.carrier.answer(async (order) => {
      const history = await world.query<{ type: string }>(sql`
        select type from event where correlation_id = (select task_id from call where id = ${order.callId})
        order by position`);
      seen.push(history.map(({ type }) => type));
      return { outcome: 'accepted', sid: sidOf(order) };
    });
    await clinic.tasksAt(numbers(3));
    await clinic.dispatch();
    const recorded = ['outbound.scheduled', 'outbound.dispatched', 'contact.attempted', 'outbound.initiated'];
    expect(seen).toEqual([recorded, recorded, recorded]);
  }));

test('of two people at one number who are due at once one is called, and the other a minute later', () =>
  withClinic(async (clinic) => {
    const phone = numbers(1)[0]!;
    const ada = await clinic.task(await clinic.patient(phone, 'Ada'));
    clinic.clock.advance(1);
    const ben = await clinic.task(await clinic.patient(phone, 'Ben'));
    expect((await clinic.dispatch()).taskIds).toEqual([ada]);
    expect(await clinic.dispatch()).toMatchObject({ taskIds: [], blocked: 1 });
    const { nextAttemptAt, nextAttemptReason, decision, status } = await clinic.taskOf(ben);
    expect(decision).toMatchObject({ allowed: false, blocks: ['ACTIVE_CONTACT'] });
    expect(status).toBe('SCHEDULED');
    expect(nextAttemptReason).toMatch(/another call to this number is under way/i);
    expect(nextAttemptAt!.getTime()).toBe(clinic.clock.now().getTime() + minuteMs);
    await endCalls(clinic, 1);
    clinic.clock.advance(minuteMs);
    expect((await clinic.dispatch()).taskIds).toEqual([ben]);
  }));

test('two replicas share the pace of the account: never more starts in a second than it allows', () =>
  withClinic(async (clinic) => {
    const { world } = await clinic.replica();
    const taking = { account: 'AC1', callsPerSecond: 10, limitMs: 60_000, shiftMs: 0 };
    const starts = async (on: World, count: number) =>
      on.transact(async (tx) => {
        const { waitsMs } = await tx.takeTurns({ ...taking, fromMs: Array.from({ length: count }, () => 0) });
        const [pace] = await tx.query<{ next: number }>(
          sql`select extract(epoch from next_at)::float8 * 1000 as next from carrier_pace where account = 'AC1'`,
        );
        return waitsMs.map((_, index) => pace!.next - (waitsMs.length - index) * 100);
      });
    const takers = Array.from({ length: 24 }, (_, index) =>
      starts(index % 2 ? world : clinic.world, (index * 7) % 5),
    );
    const at = (await Promise.all(takers)).flat().toSorted((a, b) => a - b);
    expect(at.length).toBeGreaterThan(40);
    for (const [index, start] of at.slice(10).entries()) {
      expect(start - at[index]!, `start ${index + 10}`).toBeGreaterThan(1_000 - 1);
    }
  }));

test('what the account may not start within a second stays due, in both replicas together', () =>
  withClinic(
    async (clinic) => {
      await clinic.tasksAt(numbers(30));
      const { attempts } = await clinic.replica();
      const rounds = await Promise.all([clinic.dispatch(), clinic.dispatch(attempts)]);
      const waits = rounds.flatMap(({ dispatched }) =>
        dispatched.map(({ turnAt }) => turnAt.getTime() - clinic.clock.now().getTime()),
      );
      expect(waits.length).toBeGreaterThanOrEqual(10);
      expect(waits.length).toBeLessThanOrEqual(12); // Postgres's clock goes on between the two
      expect(Math.max(...waits)).toBeLessThanOrEqual(1_000);
      expect(Math.max(...rounds.map(({ againMs }) => againMs))).toBeGreaterThan(0);
      expect(await clinic.calls()).toHaveLength(waits.length);
    },
    { callsPerSecond: 10 },
  ));

test('turns come in order, a step apart, and none before it is wanted', () =>
  withClinic(async ({ world }) => {
    const taking = { account: 'AC1', callsPerSecond: 10, shiftMs: 0 };
    const first = await world.takeTurns({ ...taking, fromMs: [0, 0, 250, 260, 900], limitMs: 800 });
    expect(first.waitsMs.map(Math.round)).toEqual([0, 100, 250, 350]);
    expect(first.againMs).toBe(1);
    const next = await world.takeTurns({ ...taking, fromMs: [0], limitMs: 800 });
    expect(next.waitsMs[0]).toBeGreaterThan(350);
    expect(next.waitsMs[0]).toBeLessThanOrEqual(450);
    const none = await world.takeTurns({ ...taking, fromMs: [0], limitMs: 100 });
    expect(none.waitsMs).toEqual([]);
    expect(none.againMs).toBeGreaterThan(1);
  }));

test('turns of a transaction that is not committed are given back', () =>
  withClinic(async ({ world }) => {
    const taking = { account: 'AC1', callsPerSecond: 1, limitMs: 60_000, shiftMs: 0 };
    await world.takeTurns({ ...taking, fromMs: [0] });
    const undone = world.transact(async (tx) => {
      expect((await tx.takeTurns({ ...taking, fromMs: [0, 0, 0, 0, 0] })).waitsMs).toHaveLength(5);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    const { waitsMs } = await world.takeTurns({ ...taking, fromMs: [0] });
    expect(waitsMs[0]).toBeLessThanOrEqual(1_000);
  }));

test('the limit of a caller ID holds across replicas, with the direct calls that it makes', () =>
  withClinic(
    async (clinic) => {
      const [direct, other, ...phones] = numbers(14);
      await clinic.attempts.placeCall(directCall(await clinic.patient(direct!)), clinic.by());
      const refused = await clinic.patient(other!);
      await clinic.tasksAt(phones);
      const { attempts } = await clinic.replica();
      clinic.clock.advance(1_000);
      await Promise.all([clinic.dispatch(), clinic.dispatch(attempts)]);
      await clinic.dispatch();
      expect(clinic.carrier.orders).toHaveLength(5);
      const more = clinic.attempts.placeCall(directCall(refused), clinic.by());
      await expect(more).rejects.toMatchObject({ code: 'SOURCE_NUMBER_RATE_LIMITED' });
      expect((await clinic.attempts.nextDueAt())!.getTime()).toBe(clinic.clock.now().getTime() + 59_000);
      clinic.clock.advance(59_000); // the direct call is a minute old now, the others a second less
      await clinic.dispatch();
      expect(clinic.carrier.orders).toHaveLength(6);
      clinic.clock.advance(1_000);
      await Promise.all([clinic.dispatch(), clinic.dispatch(attempts)]);
      expect(clinic.carrier.orders).toHaveLength(10);
    },
    { callsPerMinute: 5 },
  ));

test('a workspace has no more calls under way than its policy allows; one that ends makes room for one', () =>
  withClinic(async (clinic) => {
    const [direct, ...phones] = numbers(8);
    await clinic.limit(3);
    for (const [index, phone] of phones.entries()) {
      await clinic.task(await clinic.patient(phone), { priority: 1 + index }); // each is claimed by itself
    }
    await clinic.attempts.placeCall(directCall(await clinic.patient(direct!)), clinic.by());
    const { attempts } = await clinic.replica();
    const rounds = await Promise.all([clinic.dispatch(), clinic.dispatch(attempts)]);
    expect(rounds.flatMap(({ taskIds }) => taskIds)).toHaveLength(2);
    expect((await clinic.dispatch()).taskIds).toHaveLength(0);
    expect(await endCalls(clinic, 1)).toBe(1);
    expect((await clinic.dispatch()).taskIds).toHaveLength(1);
    expect((await clinic.dispatch()).taskIds).toHaveLength(0);
    await clinic.limit(0);
    expect((await clinic.dispatch()).taskIds).toHaveLength(4);
  }));

test('a workspace whose lines are all taken does not hold up the others, however much it has waiting', () =>
  withClinic(async (clinic) => {
    const nextDoor = await clinic.neighbour('+14155550198');
    await clinic.limit(1);
    const ids = await clinic.tasksAt(numbers(1));
    await clinic.copies(ids[0]!, 120);
    clinic.clock.advance(minuteMs);
    const [theirs] = await nextDoor.tasksAt(numbers(1, 917));
    const rounds = [await clinic.dispatch(), await clinic.dispatch()];
    const dispatched = rounds.flatMap(({ taskIds }) => taskIds);
    expect(dispatched).toHaveLength(2); // one line here, and whoever is next door
    expect(dispatched).toContain(theirs);
  }));

test('a block for good ends the task, with the decision attached', () =>
  withClinic(async (clinic) => {
    const [forMoney, forTheDead] = numbers(2);
    const advertised = await clinic.task(await clinic.patient(forMoney!), { purpose: 'MARKETING' });
    const person = await clinic.patient(forTheDead!);
    const deceased = await clinic.task(person);
    await clinic.patient(forTheDead!, undefined, 'DECEASED');
    expect(await clinic.dispatch()).toMatchObject({ taskIds: [], blocked: 2 });
    for (const [id, block] of [
      [advertised, 'NO_LEGAL_BASIS'],
      [deceased, 'PATIENT_DECEASED'],
    ] as const) {
      expect(await clinic.taskOf(id)).toMatchObject({
        status: 'FAILED',
        attempts: 0,
        nextAttemptAt: null,
        decision: { allowed: false, blocks: [block] },
      });
      expect(await clinic.typesOf(id)).toEqual(['outbound.scheduled', 'outbound.blocked', 'outbound.failed']);
    }
    expect(clinic.carrier.orders).toEqual([]);
  }));

test.each([
  ['on an ordinary night', '2026-03-04T08:00:00Z', '2026-03-04T13:00:00.000Z'],
  ['on the night when the clocks go forward', '2026-03-08T06:59:00Z', '2026-03-08T12:00:00.000Z'],
  ['on the night when the clocks go back', '2026-11-01T05:30:00Z', '2026-11-01T13:00:00.000Z'],
])('%s a task moves to the instant at which it may be called: eight in the morning', (_, night, morning) =>
  withClinic(async (clinic) => {
    clinic.clock.advance(Date.parse(night) - clinic.clock.now().getTime());
    const [id] = await clinic.tasksAt(numbers(1));
    expect(await clinic.dispatch()).toMatchObject({ taskIds: [], blocked: 1 });
    const { status, nextAttemptAt, nextAttemptReason, decision } = await clinic.taskOf(id!);
    expect(status).toBe('SCHEDULED');
    expect(nextAttemptAt!.toISOString()).toBe(morning);
    expect(decision!.nextAllowedAt).toBe(morning);
    expect(nextAttemptReason).toMatch(/calling hours/i);
    clinic.clock.advance(nextAttemptAt!.getTime() - clinic.clock.now().getTime() - leadMs - 1);
    expect(await clinic.dispatch()).toMatchObject({ taskIds: [], blocked: 0 });
    clinic.clock.advance(1);
    const { taskIds, dispatched } = await clinic.dispatch();
    expect(taskIds).toEqual([id]);
    expect(dispatched[0]!.turnAt.getTime()).toBeGreaterThanOrEqual(nextAttemptAt!.getTime());
    expect(dispatched[0]!.call!).toMatchObject({ queuedAt: nextAttemptAt, decision: { decidedAt: morning } });
  }),
);

test('a task whose time is over, or will be before anybody may be called, is timed out', () =>
  withClinic(async (clinic) => {
    const soon = new Date(clinic.clock.now().getTime() + 10 * minuteMs);
    const [late] = await clinic.tasksAt(numbers(1), { validUntil: soon });
    clinic.clock.advance(10 * minuteMs);
    await clinic.dispatch();
    expect(await clinic.taskOf(late!)).toMatchObject({
      status: 'TIMED_OUT',
      decision: { blocks: ['TASK_NO_LONGER_VALID'] },
    });
    clinic.clock.advance(opening('2026-03-04').getTime() - 60 * minuteMs - clinic.clock.now().getTime());
    const [hopeless] = await clinic.tasksAt(numbers(1, 917), { validUntil: opening('2026-03-04') });
    await clinic.dispatch();
    expect(await clinic.taskOf(hopeless!)).toMatchObject({
      status: 'TIMED_OUT',
      decision: { blocks: ['OUTSIDE_CALLING_HOURS'] },
    });
    expect(clinic.carrier.orders).toEqual([]);
  }));

test('a task whose caller ID can no longer place calls fails, and says so', () =>
  withClinic(async (clinic) => {
    const ids = await clinic.tasksAt(numbers(2));
    await clinic.world.query(sql`update phone_number set active = false where phone = ${ours}`);
    expect(await clinic.dispatch()).toMatchObject({ taskIds: [], blocked: 2 });
    for (const id of ids) {
      expect(await clinic.taskOf(id)).toMatchObject({ status: 'FAILED', nextAttemptAt: null });
      const [, failed] = await clinic.world.history(clinic.workspaceId, id);
      expect(failed).toMatchObject({
        type: 'outbound.failed',
        data: {
          reason: `the caller ID ${ours} can no longer place calls, and no other channel reaches the patient`,
        },
      });
    }
  }));

test('a hundred due tasks cost as many statements as one', () =>
  withClinic(async (clinic) => {
    const round = async (count: number, areaCode: number) => {
      await clinic.tasksAt(numbers(count, areaCode));
      const statements = vi.spyOn(pg.Client.prototype, 'query');
      const placed = await clinic.attempts.dispatch(() => {});
      const counted = statements.mock.calls.length;
      statements.mockRestore();
      expect(placed.dispatched).toHaveLength(count);
      return counted;
    };
    await round(1, 718);
    const one = await round(1, 917);
    expect(await round(100, 212)).toBe(one);
    expect(one).toBeLessThan(20);
  }));
