import { expect, test } from 'vitest';
import { thatTuesday } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { areas, isKilled, kill, rows, withStage, type Lit, type Stage } from '../support/kill-stage.ts';
import { ask, testKey, type App } from '../support/program.ts';
import { inputTo, send, setUpVoicemail, type DropEntry } from '../support/voicemails.ts';

const numberAt = (index: number) => `+1${areas[index]}5550140`;

/** What the helpers need of a program that runs elsewhere. */
const appOf = ({ url }: Stage) =>
  ({
    url,
    key: testKey,
    ask: (query: string, variables?: Record<string, unknown>) => ask(url, { query, variables, key: testKey }),
  }) as unknown as App;

/** The most voicemails that are asked for: their patients are made before anybody dies. */
const most = 14;

test('however a process dies while it leaves a voicemail, the vendor accepts one at most, and each comes to its end', async () => {
  await withStage(async (stage) => {
    const app = appOf(stage);
    const child = await stage.start({});
    const setup = await setUpVoicemail(app);
    const inputs = await Promise.all(
      Array.from({ length: most }, async (_, index) => ({
        ...(await inputTo(app, setup, numberAt(index))),
        idempotencyKey: `key ${index}`,
      })),
    );
    await kill(child, 'SIGTERM');
    const leave = (index: number) => send(app, inputs[index]!);
    let index = -1;
    const isKilledAt = async (lit: Lit): Promise<boolean> => {
      index += 1;
      const before = async () => {
        if (index > 0) expectAnswer(await leave(index - 1)); // whoever was cut off asks again at once
      };
      return isKilled(stage, lit, { before, work: () => leave(index) });
    };

    // The first one makes the workspace's secret; the second tells how many messages one takes.
    for (const _ of [1, 2])
      expect(await isKilledAt({ left: 1_000, moment: 'before', only: null })).toBe(false);
    const [sent, first, last] = [
      [...stage.fuse.sent],
      stage.fuse.sent.indexOf('carrier'),
      stage.fuse.sent.lastIndexOf('carrier'),
    ];
    // The intent is written before the one question to the vendor, and its answer after it.
    expect(first).toBeGreaterThan(5);
    expect(sent.slice(last + 1)).not.toEqual([]);
    const deaths: Lit[] = [
      { left: first - 3, moment: 'before', only: null }, // around the commit of the intent
      { left: first, moment: 'after', only: null },
      { left: 1, moment: 'before', only: 'carrier' }, // the vendor was never asked
      { left: last - first + 1, moment: 'after', only: 'carrier' }, // it has taken it, and its answer is not heard
      { left: last + 2, moment: 'before', only: null }, // its answer is heard and not recorded
    ];
    for (const lit of deaths) expect([lit, await isKilledAt(lit)]).toEqual([lit, true]);
    // Recorded, and whoever asked was not told. Not every run sends the same number: when a key was last used is written once a minute.
    for (let left = sent.length, killed = false; !killed; left -= 1)
      killed = await isKilledAt({ left, moment: 'after', only: null });

    // A minute later no answer is waited for any more, and two minutes after that no callback.
    await stage.start({ CLOCK_START: thatTuesday(60_000) });
    await eventually(async () => {
      expect(await rows(stage, `select id from voicemail where version = 1`)).toEqual([]);
      return true;
    }, 30_000);
    const { errors } = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', {
      to: thatTuesday(180_000),
    });
    expect(errors).toBeUndefined();
    expect(await rows(stage, `select id from voicemail where status = 'PENDING'`)).toEqual([]);
    const drops = async () => ((await stage.ledger()) as DropEntry[]).filter(({ kind }) => kind === 'drop');
    const before = await drops();
    for (let of = 0; of <= index; of += 1) {
      const answer = await leave(of);
      const accepted = before.filter(({ to, accepted: taken }) => taken && to === numberAt(of)).length;
      expect([of, accepted]).toEqual([of, Math.min(accepted, 1)]);
      expect(answer).toMatchObject({ __typename: 'SendVoicemailPayload', replayed: true });
      expect(answer.voicemail.status).toMatch(/^(?:DELIVERED|NOT_DELIVERED|FAILED)$/);
      if (accepted === 0) expect(answer.voicemail.status).toBe('NOT_DELIVERED');
    }
    // Those whose process died after the vendor was asked, and those that came through.
    expect(before.filter(({ accepted }) => accepted).length).toBeGreaterThanOrEqual(4);
    expect(await drops()).toEqual(before);
    const [counts] = await rows(
      stage,
      `select (select count(*)::int from voicemail) as voicemails, (select count(*)::int from idempotency_key) as keys,
        (select count(*)::int from contact, jsonb_array_elements(attempts) a where a->>'endedAt' is null) as open`,
    );
    expect(counts).toEqual({ voicemails: index + 1, keys: index + 1, open: 0 });
  });
}, 600_000);

/** Right after a kill: the voicemail is sent now, or told as it stands, or nobody knows yet. */
function expectAnswer(answer: { __typename: string; code?: string }): void {
  if (answer.__typename !== 'SendVoicemailPayload') expect(answer.code).toBe('IDEMPOTENCY_IN_PROGRESS');
}
