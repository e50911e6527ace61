import { expect, test } from 'vitest';
import { hear } from '../../src/domain/call-progress.ts';
import { nextTimeOut, timeOutTasks } from '../../src/jobs/time-out-tasks.ts';
import { numbers, withClinic, type Clinic } from './clinic.ts';

/** For how long an attempt may go on. */
const leaseMs = 15 * 60_000;

/** One run of the job, with what it logged. */
async function timeOut({
  world,
  carrier,
  attempts,
  clock,
}: Pick<Clinic, 'world' | 'carrier' | 'attempts' | 'clock'>) {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const count = await timeOutTasks({ world, carrier, attempts, pace: 1, log }, clock.now());
  return { count, lines };
}

/** A task whose attempt was begun, and whose lease is now over. */
async function overdue(clinic: Clinic): Promise<string> {
  const [id] = await clinic.tasksAt(numbers(1));
  await clinic.dispatch();
  clinic.clock.advance(leaseMs);
  return id!;
}

/** What the carrier tells of a task's call, late. */
async function tellLate({ attempts, callsOf, by, clock }: Clinic, taskId: string, status: string) {
  const [call] = await callsOf(taskId);
  const heard = { sid: call!.sid!, status, at: clock.now(), via: 'callback' as const };
  await attempts.record(call!, (current) => hear(current, heard), by());
}

test('an attempt whose lease is over ends as the carrier knows it: completed', () =>
  withClinic(async (clinic) => {
    const id = await overdue(clinic);
    clinic.carrier.know('completed');
    expect(await timeOut(clinic)).toEqual({ count: 1, lines: [] });
    expect(await clinic.taskOf(id)).toMatchObject({ status: 'COMPLETED', leaseUntil: null });
    expect(await clinic.callsOf(id)).toMatchObject([{ status: 'COMPLETED' }]);
    expect(clinic.carrier.asked).toHaveLength(1);
  }));

test.each([
  ['busy', 'busy'],
  ['no-answer', 'no_answer'],
  [null, 'unknown_to_carrier'],
])('an attempt whose lease is over is tried again when the carrier says %s', (known, outcome) =>
  withClinic(async (clinic) => {
    const id = await overdue(clinic);
    clinic.carrier.know(known);
    expect(await timeOut(clinic)).toEqual({ count: 1, lines: [] });
    const task = await clinic.taskOf(id);
    expect(task).toMatchObject({ status: 'SCHEDULED', attempts: 1, lastOutcome: outcome, leaseUntil: null });
    expect(task.nextAttemptAt!.getTime()).toBeGreaterThan(clinic.clock.now().getTime());
    expect(await nextTimeOut(clinic)).toBeNull();
  }),
);

test('what the carrier cannot tell is timed out; what it tells later changes the call and not the task', () =>
  withClinic(async (clinic) => {
    const id = await overdue(clinic);
    clinic.carrier.know('in-progress');
    await timeOut(clinic);
    const task = await clinic.taskOf(id);
    expect(task).toMatchObject({ status: 'TIMED_OUT', leaseUntil: null, nextAttemptAt: null });
    expect(clinic.carrier.asked).toHaveLength(1);
    await tellLate(clinic, id, 'completed');
    expect(await clinic.callsOf(id)).toMatchObject([{ status: 'COMPLETED' }]);
    expect(await clinic.taskOf(id)).toEqual(task);
    expect((await clinic.typesOf(id)).slice(-1)).toEqual(['outbound.timed_out']);
  }));

test('an attempt is timed out when the carrier cannot be asked, and that is logged', () =>
  withClinic(async (clinic) => {
    const id = await overdue(clinic);
    const carrier = { ...clinic.carrier, lookUp: () => Promise.reject(new Error('away')) };
    const { lines } = await timeOut({ ...clinic, carrier });
    expect(lines).toEqual([expect.stringContaining('the carrier could not tell how call')]);
    expect(await clinic.taskOf(id)).toMatchObject({ status: 'TIMED_OUT' });
  }));

test('a lease that is not over is left alone, and the carrier is not asked', () =>
  withClinic(async (clinic) => {
    const [id] = await clinic.tasksAt(numbers(1));
    expect(await nextTimeOut(clinic)).toBeNull();
    const begun = clinic.clock.now().getTime();
    await clinic.dispatch();
    expect((await nextTimeOut(clinic))!.getTime()).toBe(begun + leaseMs);
    clinic.clock.advance(leaseMs - 1);
    expect(await timeOut(clinic)).toEqual({ count: 0, lines: [] });
    expect(await clinic.taskOf(id!)).toMatchObject({ status: 'DISPATCHED' });
    expect(clinic.carrier.asked).toEqual([]);
  }));

test('an attempt whose process died before the dial is looked for before it is given up, and tried again', () =>
  withClinic(async (clinic) => {
    const [id] = await clinic.tasksAt(numbers(1));
    await clinic.attempts.dispatch(() => {}); // the intent is recorded, and nobody is left to dial
    clinic.clock.advance(leaseMs);
    await timeOut(clinic);
    expect(await clinic.taskOf(id!)).toMatchObject({ status: 'DISPATCHED' });
    expect(await clinic.callsOf(id!)).toMatchObject([{ status: 'UNCERTAIN' }]);
    clinic.clock.advance(60_000); // by then whatever was placed is in the carrier's list
    await timeOut(clinic);
    expect(await clinic.callsOf(id!)).toMatchObject([
      { status: 'FAILED', endedReason: 'never_reached_carrier' },
    ]);
    expect(await clinic.taskOf(id!)).toMatchObject({ status: 'SCHEDULED', attempts: 1 });
  }));

test('an attempt that nobody can tell anything of for a minute is timed out', () =>
  withClinic(async (clinic) => {
    const [id] = await clinic.tasksAt(numbers(1));
    await clinic.attempts.dispatch(() => {});
    const carrier = { ...clinic.carrier, list: () => Promise.reject(new Error('away')) };
    clinic.clock.advance(leaseMs);
    await timeOut({ ...clinic, carrier });
    expect(await clinic.taskOf(id!)).toMatchObject({ status: 'DISPATCHED' });
    clinic.clock.advance(60_000);
    await timeOut({ ...clinic, carrier });
    expect(await clinic.taskOf(id!)).toMatchObject({ status: 'TIMED_OUT' });
  }));

test('two replicas that time the same attempt out do it once', () =>
  withClinic(async (clinic) => {
    const id = await overdue(clinic);
    clinic.carrier.know('in-progress');
    const { world, attempts } = await clinic.replica();
    await Promise.all([timeOut(clinic), timeOut({ ...clinic, world, attempts })]);
    const types = await clinic.typesOf(id);
    expect(types.filter((type) => type === 'outbound.timed_out')).toHaveLength(1);
  }));

test.each([
  ['completed', 'COMPLETED'],
  ['busy', 'SCHEDULED'],
  ['no-answer', 'SCHEDULED'],
  ['failed', 'SCHEDULED'],
  ['canceled', 'FAILED'],
])('a call that ends as %s releases the lease', (status, becomes) =>
  withClinic(async (clinic) => {
    const [id] = await clinic.tasksAt(numbers(1));
    await clinic.dispatch();
    expect((await clinic.taskOf(id!)).leaseUntil).not.toBeNull();
    await tellLate(clinic, id!, status);
    expect(await clinic.taskOf(id!)).toMatchObject({ status: becomes, leaseUntil: null });
    expect(await nextTimeOut(clinic)).toBeNull();
  }),
);

test.each([
  ['for now', true, 'SCHEDULED', 0],
  ['for good', false, 'FAILED', 1],
])('a call that the carrier refuses %s releases the lease', (_, retryable, becomes, attempts) =>
  withClinic(async (clinic) => {
    const refusal = { outcome: 'rejected', carrierCode: null, message: 'No.', reached: true } as const;
    clinic.carrier.answer(() => ({ ...refusal, retryable }));
    const [id] = await clinic.tasksAt(numbers(1));
    await clinic.dispatch();
    expect(await clinic.taskOf(id!)).toMatchObject({ status: becomes, attempts, leaseUntil: null });
    expect(await nextTimeOut(clinic)).toBeNull();
  }),
);
