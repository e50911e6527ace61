import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as calls from '../../src/domain/call.ts';
import type { Call, CallStatus, Fact, Intent } from '../../src/domain/call.ts';
import * as progress from '../../src/domain/call-progress.ts';
import { conditions, fits } from '../../src/domain/call-filter.ts';
import { fold } from '../../src/domain/event.ts';
import { after, eventOf, given, now } from '../support/given.ts';

const id = '00000000-0000-7000-8000-00000000bbbb';
const intent: Intent = {
  origin: 'API',
  patientId: id,
  contactId: id,
  phoneTo: '+12125550100',
  phoneFrom: '+14155550199',
  reason: 'lab_results',
  goal: null,
  systemPrompt: null,
  welcomeMessage: null,
  purpose: 'LAB_RESULTS',
  tags: ['a'],
  metadata: { x: 'y' },
  variables: {},
  serviceId: null,
  useCaseId: null,
  taskId: null,
  derivedFromId: null,
  chainId: id,
  requestedBy: 'key',
  callbackUrl: null,
  basis: 'PRIOR_EXPRESS',
  decision: {} as Intent['decision'],
};
const initiated: Fact = { type: 'outbound.initiated', data: intent };
const accepted: Fact = { type: 'call.accepted', data: { sid: 'CA1', via: 'answer' } };
const uncertain: Fact = { type: 'call.uncertain', data: { cause: 'econnreset' } };
const answered: Fact = { type: 'call.answered', data: { via: 'callback' } };
const completed: Fact = { type: 'call.completed', data: { endedReason: 'completed', via: 'callback' } };
const call = given(calls);
const heard = (status: string, more: Partial<progress.Heard> = {}): progress.Heard => ({
  sid: 'CA1',
  status,
  at: now,
  via: 'callback' as const,
  ...more,
});

test("records the carrier's acceptance once", () => {
  const accept = (row: Call) => progress.answer(row, { outcome: 'accepted', sid: 'CA1' });
  call(initiated).when(accept).then(accepted);
  call(initiated, accepted).when(accept).then();
});

test('a callback that comes before the answer tells the acceptance too', () =>
  call(initiated)
    .when((row) => progress.hear(row, heard('ringing')))
    .then(
      { type: 'call.accepted', data: { sid: 'CA1', via: 'callback' } },
      { type: 'call.ringing', data: { via: 'callback' }, effectiveAt: now },
    ));

test('an unknown outcome never replaces what a callback has told', () => {
  const lose = (row: Call) => progress.answer(row, { outcome: 'unknown', cause: 'econnreset' });
  call(initiated).when(lose).then(uncertain);
  call(initiated, accepted).when(lose).then();
  call(initiated, uncertain).when(lose).then();
});

test("a refusal by the carrier ends the call with the carrier's code", () => {
  const row = after(calls, initiated, {
    type: 'call.rejected',
    data: { carrierCode: '21211', message: 'no', retryable: false, reached: true },
  });
  expect(row).toMatchObject({
    status: 'FAILED',
    endedReason: 'carrier_rejected_21211',
    carrierCode: '21211',
  });
});

test("what another call's id tells is not about this one", () =>
  call(initiated, accepted)
    .when((row) => progress.hear(row, heard('completed', { sid: 'CA2' })))
    .then());

test('a call of which only the end was heard still knows when it was answered', () => {
  const [, end] = progress.hear(
    after(calls, initiated),
    heard('completed', { durationSeconds: 30, at: new Date('2026-03-02T15:01:00Z') }),
  );
  expect(after(calls, initiated, accepted, end!)).toMatchObject({
    status: 'COMPLETED',
    answeredAt: new Date('2026-03-02T15:00:30Z'),
    durationSeconds: 30,
  });
});

test("nothing happens before the request, whatever the carrier's seconds are cut to", () => {
  const [, ringing] = progress.hear(
    after(calls, initiated),
    heard('ringing', { at: new Date('2026-03-02T14:59:59Z') }),
  );
  expect(ringing!.effectiveAt).toEqual(now);
});

test('a failure tells the answer of the telephone network', () => {
  const [, end] = progress.hear(after(calls, initiated), heard('failed', { sipCode: '404' }));
  expect(end).toMatchObject({ type: 'call.failed', data: { endedReason: 'failed_sip_404' } });
});

test("only a machine's verdict is recorded, and once", () => {
  call(initiated, answered)
    .when((row) => progress.detect(row, 'human', now))
    .then();
  const machine: Fact = {
    type: 'call.machine_detected',
    data: { answeredBy: 'MACHINE', detail: 'machine_start' },
  };
  call(initiated, answered)
    .when((row) => progress.detect(row, 'machine_start', now))
    .then({ ...machine, effectiveAt: now });
  call(initiated, answered, machine)
    .when((row) => progress.detect(row, 'fax', now))
    .then();
});

test('a call is given up only while the carrier has never confirmed it', () => {
  call(initiated, uncertain)
    .when(progress.giveUp)
    .then({ type: 'call.failed', data: { endedReason: 'never_reached_carrier', via: 'lookup' } });
  call(initiated, uncertain, accepted).when(progress.giveUp).then();
  call(initiated, completed).when(progress.giveUp).then();
});

test('a ringing call is canceled, one in progress completed, one that is over refused', () => {
  expect(progress.ending(after(calls, initiated, accepted))).toEqual({ sid: 'CA1', status: 'canceled' });
  expect(progress.ending(after(calls, initiated, accepted, answered))).toEqual({
    sid: 'CA1',
    status: 'completed',
  });
  call(initiated, accepted, completed).when(progress.ending).refused('ILLEGAL_TRANSITION');
  call(initiated).when(progress.ending).refused('ILLEGAL_TRANSITION');
});

test("the carrier's whole seconds keep the order in which things were heard", () => {
  const second = new Date('2026-03-02T15:00:00.000Z');
  expect(progress.withinSecond(second, new Date('2026-03-02T15:00:00.400Z'))).toEqual(
    new Date('2026-03-02T15:00:00.400Z'),
  );
  expect(progress.withinSecond(second, new Date('2026-03-02T15:07:00.000Z'))).toEqual(
    new Date('2026-03-02T15:00:00.999Z'),
  );
});

const rank: Record<CallStatus, number> = {
  QUEUED: 0,
  UNCERTAIN: 1,
  RINGING: 2,
  IN_PROGRESS: 3,
  COMPLETED: 4,
  BUSY: 4,
  NO_ANSWER: 4,
  FAILED: 4,
  CANCELED: 4,
};

test('whatever is heard, in whatever order and however often, statuses only rise and an end stays', () => {
  const words = [
    'queued',
    'initiated',
    'ringing',
    'in-progress',
    'completed',
    'busy',
    'no-answer',
    'failed',
    'canceled',
    'nonsense',
  ];
  const said = fc.oneof(
    fc.constantFrom(...words).map((status) => (row: Call) => progress.hear(row, heard(status))),
    fc
      .constantFrom('human', 'machine_start', 'fax', 'unknown')
      .map((detail) => (row: Call) => progress.detect(row, detail, now)),
    fc.constant((row: Call) => progress.answer(row, { outcome: 'accepted', sid: 'CA1' })),
    fc.constant((row: Call) => progress.answer(row, { outcome: 'unknown', cause: 'timeout' })),
    fc.constant((row: Call) =>
      progress.answer(row, {
        outcome: 'rejected',
        carrierCode: '21211',
        message: 'no',
        retryable: false,
        reached: true,
      }),
    ),
    fc.constant(progress.giveUp),
    fc.constant(progress.forget),
  );
  fc.assert(
    fc.property(fc.array(said, { maxLength: 12 }), (decisions) => {
      let row = after(calls, initiated);
      for (const decide of decisions) {
        for (const fact of decide(row)) {
          const next = fold(calls, row, eventOf(fact, row.version + 1));
          expect(rank[next.status]).toBeGreaterThanOrEqual(rank[row.status]);
          if (calls.isOver(row))
            expect(next).toMatchObject({
              status: row.status,
              endedReason: row.endedReason,
              endedAt: row.endedAt,
            });
          row = next;
        }
      }
    }),
  );
});

test('a filter means the same of a row in memory as its conditions do in Postgres', () => {
  const row = after(calls, initiated);
  expect(
    fits(row, { statuses: ['QUEUED'], origins: ['API'], tag: 'a', metadata: { x: 'y' }, since: now }),
  ).toBe(true);
  for (const other of [
    { statuses: ['BUSY' as const] },
    { origins: [] },
    { tag: 'b' },
    { metadata: { x: 'z' } },
    { until: now },
    { campaignId: id },
  ]) {
    expect(fits(row, other)).toBe(false);
  }
  expect(conditions({ tag: 'a', since: now })).toEqual({
    tags: { has: 'a' },
    queuedAt: { from: now, until: undefined },
  });
});
