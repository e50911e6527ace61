import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openClock, type Follower } from '../../src/clock.ts';

const start = new Date('2026-03-03T19:00:00Z');

/** So many milliseconds after the start. */
const later = (milliseconds: number) => new Date(start.getTime() + milliseconds);

/** A clock at the start with a diary of what was done, and when by that clock after the start. */
function given() {
  const logged: string[] = [];
  const clock = openClock(start, (line) => void logged.push(line));
  const origin = clock.now().getTime();
  const diary: [string, number][] = [];
  const note = (what: string) => void diary.push([what, clock.now().getTime() - origin]);
  return { clock, origin, diary, note, logged, to: (ms: number) => new Date(origin + ms) };
}

test('a clock runs on from where it starts', async () => {
  const { clock } = given();
  await sleep(30);
  const passed = clock.now().getTime() - start.getTime();
  expect(passed).toBeGreaterThanOrEqual(28);
  expect(passed).toBeLessThan(1_000);
  clock.set(later(3_600_000));
  expect(clock.now().getTime() - start.getTime()).toBeGreaterThanOrEqual(3_600_000);
});

test('a timer fires by itself after its real time, once, unless it is cancelled', async () => {
  const { clock, diary, note } = given();
  clock.after(40, () => note('kept'));
  clock.after(20, () => note('cancelled'))();
  clock.after(2 ** 31 + 1_000, () => note('in a month'));
  await sleep(120);
  expect(diary.map(([what]) => what)).toEqual(['kept']);
  expect(diary[0]![1]).toBeGreaterThanOrEqual(38);
});

test('what is due on the way fires in order, each at its instant, ties in the order of their making', async () => {
  const { clock, diary, note, origin, to } = given();
  const base = clock.now().getTime() - origin; // a millisecond may have passed
  clock.after(60_000, () => note('minute'));
  clock.after(1_000, () => note('second'));
  clock.after(86_400_000, () => note('day'));
  clock.after(60_000, () => note('the same minute'));
  clock.after(30_000, () => note('cancelled'))();
  await clock.advance(to(3_600_000));
  expect(diary.map(([what]) => what)).toEqual(['second', 'minute', 'the same minute']);
  for (const [index, ms] of [1_000, 60_000, 60_000].entries())
    expect(diary[index]![1] - base - ms).toBeLessThanOrEqual(5);
  const passed = clock.now().getTime() - origin;
  expect(passed).toBeGreaterThanOrEqual(3_600_000);
  expect(passed).toBeLessThan(3_601_000);
  await clock.advance(to(86_500_000));
  expect(diary.at(-1)![0]).toBe('day');
});

test('timers that timers make are run on the way, and one may cancel another', async () => {
  const { clock, diary, note, to } = given();
  const cancel = clock.after(5_000, () => note('cancelled'));
  clock.after(2_000, async () => {
    note('first');
    await sleep(10); // it takes real time, and none of the clock's
    clock.after(2_000, () => {
      note('nested');
      cancel();
    });
    clock.after(100_000, () => note('beyond'));
  });
  clock.after(3_000, () => note('between'));
  await clock.advance(to(60_000));
  expect(diary.map(([what]) => what)).toEqual(['first', 'between', 'nested']);
  const [first, , nested] = diary.map(([, ms]) => ms);
  expect(nested! - first!).toBe(2_000);
});

test('while it is moved it stands still between instants, and waits for what is under way', async () => {
  const { clock, diary, note, to } = given();
  clock.after(1_000, () => {
    void clock.busy(
      sleep(50).then(async () => {
        note('answered');
        // What follows from it begins only a moment later.
        await Promise.resolve();
        void clock.busy(sleep(30).then(() => note('followed')));
      }),
    );
  });
  clock.after(2_000, () => note('next'));
  expect(clock.isMoving()).toBe(false);
  const moved = clock.advance(to(5_000));
  await sleep(5);
  expect(clock.isMoving()).toBe(true);
  await moved;
  expect(clock.isMoving()).toBe(false);
  expect(diary.map(([what]) => what)).toEqual(['answered', 'followed', 'next']);
  expect(diary[1]![1]).toBe(diary[0]![1]);
});

test('what is under way when a move begins is waited for, and moves come one after another', async () => {
  const { clock, diary, note, to } = given();
  const failed = clock.busy(sleep(20).then(() => Promise.reject(new Error('failed'))));
  clock.after(10_000, () => note('ten seconds'));
  const first = clock.advance(to(20_000));
  const second = clock.advance(to(40_000)).then(() => note('second move'));
  const third = clock.advance(to(30_000));
  await expect(failed).rejects.toThrow('failed');
  await first;
  await second;
  await expect(third).rejects.toThrow(RangeError);
  expect(diary.map(([what]) => what)).toEqual(['ten seconds', 'second move']);
  expect(diary[1]![1]).toBeGreaterThanOrEqual(40_000);
});

test('it never goes back, and runs on after a refusal', async () => {
  const { clock, to } = given();
  await expect(clock.advance(to(-1))).rejects.toThrow(RangeError);
  await expect(clock.advance(new Date(Number.NaN))).rejects.toThrow(RangeError);
  await clock.advance(to(1_000));
  await expect(clock.advance(to(999))).rejects.toThrow(RangeError);
});

test('timers that were not due go on in real time after a move', async () => {
  const { clock, diary, note, to } = given();
  clock.after(10_050, () => note('real'));
  await clock.advance(to(10_000));
  expect(diary).toEqual([]);
  await sleep(150);
  expect(diary.map(([what]) => what)).toEqual(['real']);
});

test('a timer that fails is logged, and the rest goes on', async () => {
  const { clock, diary, note, logged, to } = given();
  clock.after(1_000, () => {
    throw new Error('broken');
  });
  clock.after(1_001, () => Promise.reject(new Error('broken too')));
  clock.after(2_000, () => note('next'));
  await clock.advance(to(5_000));
  expect(diary.map(([what]) => what)).toEqual(['next']);
  expect(logged).toHaveLength(2);
});

test('followers run when they have something due, after the timers of that instant, and are waited for', async () => {
  const { clock, diary, note, to } = given();
  const due = [to(5_000), to(5_000), to(900_000)];
  let settled = true;
  const follower: Follower = {
    nextAt: () => Promise.resolve(due[0] ?? null),
    run: () => {
      due.shift();
      note('follower');
      settled = false;
      setTimeout(() => {
        settled = true;
        note('settled');
      }, 20);
    },
    isSettled: () => Promise.resolve(settled),
  };
  const leave = clock.follow(follower);
  clock.after(to(5_000).getTime() - clock.now().getTime(), () => note('timer'));
  await clock.advance(to(60_000));
  expect(diary.map(([what]) => what)).toEqual(['timer', 'follower', 'settled', 'follower', 'settled']);
  leave();
  await clock.advance(to(1_000_000));
  expect(diary).toHaveLength(5);
});

test('what never settles holds the clock up for seconds only, and is logged', async () => {
  const { clock, diary, note, logged, to } = given();
  clock.after(1_000, () => note('timer'));
  const leave = clock.follow({
    nextAt: () => Promise.resolve(null),
    run: () => {},
    isSettled: () => Promise.resolve(diary.length > 0),
  });
  await clock.advance(to(2_000));
  leave();
  expect(diary.map(([what]) => what)).toEqual(['timer']);
  expect(logged).toEqual([
    expect.stringMatching(/^the clock moves on at 2026-03-03T19:00:0.*not all has settled$/),
  ]);
});

test('a move with a thousand timers is quick, and one with none is immediate', async () => {
  const { clock, diary, note, to } = given();
  for (let index = 0; index < 1_000; index += 1) clock.after(1_000 + index * 500, () => note('timer'));
  const began = performance.now();
  await clock.advance(to(3_600_000));
  expect(diary).toHaveLength(1_000);
  expect(performance.now() - began).toBeLessThan(3_000);
  const again = performance.now();
  await clock.advance(to(7 * 86_400_000));
  expect(performance.now() - again).toBeLessThan(200);
});

test('a simulated carrier of its own process starts its clock where it is told', async () => {
  const main = join(import.meta.dirname, '../../src/simulator/main.ts');
  const account = { sid: `AC${'a'.repeat(32)}`, token: 'secret' };
  const options = ['--port', '0', '--account-sid', account.sid, '--auth-token', account.token];
  const child = spawn(process.execPath, [main, ...options, '--clock-start', start.toISOString()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /http:\S+/.exec(line.toString())![0];
    const answer = await fetch(`${url}/2010-04-01/Accounts/${account.sid}/Calls.json`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${account.sid}:${account.token}`).toString('base64')}`,
      },
      body: new URLSearchParams({ To: '+12125550100', From: '+12125550199', Twiml: '<Response/>' }),
    });
    const { date_created: made } = (await answer.json()) as { date_created: string };
    expect(Date.parse(made) - start.getTime()).toBeGreaterThanOrEqual(0);
    expect(Date.parse(made) - start.getTime()).toBeLessThan(10_000);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
});
