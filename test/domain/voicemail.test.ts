import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fold } from '../../src/domain/event.ts';
import * as voicemails from '../../src/domain/voicemail.ts';
import type { Answer, Fact, Intent, Result, Voicemail } from '../../src/domain/voicemail.ts';
import { after, eventOf, given, now } from '../support/given.ts';

const id = '00000000-0000-7000-8000-00000000bbbb';
const intent: Intent = {
  patientId: id,
  contactId: id,
  phoneTo: '+12125550140',
  phoneFrom: '+14155550199',
  audioId: id,
  useCaseId: id,
  purpose: 'LAB_RESULTS',
  origin: 'API',
  taskId: null,
  campaignId: null,
  requestedBy: 'key',
  basis: 'PRIOR_EXPRESS',
  decision: {} as Intent['decision'],
};
const requested: Fact = { type: 'voicemail.requested', data: intent };
const accepted: Fact = { type: 'voicemail.accepted', data: { carrierReference: 'm1', via: 'answer' } };
const uncertain: Fact = { type: 'voicemail.uncertain', data: { cause: 'econnreset' } };
const delivered: Fact = { type: 'voicemail.delivered', data: { via: 'callback' } };
const voicemail = given(voicemails);

const yes: Answer = { outcome: 'accepted', carrierReference: 'm1' };
const lost: Answer = { outcome: 'unknown', cause: 'econnreset' };
const no: Answer = {
  outcome: 'rejected',
  carrierCode: '400',
  message: 'No.',
  retryable: false,
  reached: true,
};
const full: Result = { result: 'not_delivered', carrierCode: '4002', reason: 'The mailbox is full.' };

const answered = (answer: Answer) => (row: Voicemail) => voicemails.answer(row, answer);
const heard = (result: Result) => (row: Voicemail) => voicemails.hear(row, result);

test('what is wanted is pending, and being sent until anything is known of it', () => {
  const row = after(voicemails, requested);
  expect(row).toMatchObject({
    ...intent,
    status: 'PENDING',
    isUncertain: false,
    queuedAt: now,
    endedAt: null,
  });
  expect(voicemails.isBeingSent(row)).toBe(true);
  expect(voicemails.isBeingSent(after(voicemails, requested, accepted))).toBe(false);
  expect(voicemails.isBeingSent(after(voicemails, requested, uncertain))).toBe(false);
});

test('that the vendor has accepted it is recorded once, and is no delivery', () => {
  voicemail(requested).when(answered(yes)).then(accepted);
  voicemail(requested, accepted).when(answered(yes)).then();
  expect(after(voicemails, requested, accepted)).toMatchObject({
    status: 'PENDING',
    carrierReference: 'm1',
    endedAt: null,
  });
});

test('an answer that never came leaves it pending and uncertain, once', () => {
  voicemail(requested).when(answered(lost)).then(uncertain);
  voicemail(requested, uncertain).when(answered(lost)).then();
  expect(after(voicemails, requested, uncertain)).toMatchObject({ status: 'PENDING', isUncertain: true });
});

test('an acceptance that is heard late ends the uncertainty, and none makes what was accepted uncertain', () => {
  voicemail(requested, uncertain).when(answered(yes)).then(accepted);
  expect(after(voicemails, requested, uncertain, accepted).isUncertain).toBe(false);
  voicemail(requested, accepted).when(answered(lost)).then();
  voicemail(requested, accepted).when(answered(no)).then();
});

test('a refusal ends it with the code of the vendor', () => {
  const failed = {
    type: 'voicemail.failed',
    data: { reason: 'No.', carrierCode: '400', via: 'answer', reached: true, retryable: false },
  } as const;
  voicemail(requested).when(answered(no)).then(failed);
  voicemail(requested, uncertain).when(answered(no)).then(failed);
  expect(after(voicemails, requested, failed)).toMatchObject({
    status: 'FAILED',
    failureReason: 'No.',
    carrierCode: '400',
    carrierReference: null,
    endedAt: now,
  });
});

test('a callback ends it, also before the answer and where that was lost', () => {
  for (const before of [[requested], [requested, accepted], [requested, uncertain]]) {
    voicemail(...before)
      .when(heard({ result: 'delivered' }))
      .then(delivered);
    const data = { reason: 'The mailbox is full.', carrierCode: '4002', via: 'callback' };
    voicemail(...before)
      .when(heard(full))
      .then({ type: 'voicemail.not_delivered', data });
    voicemail(...before)
      .when(heard({ ...full, result: 'skipped' }))
      .then({ type: 'voicemail.skipped', data });
    voicemail(...before)
      .when(heard({ ...full, result: 'failed' }))
      .then({ type: 'voicemail.failed', data: { ...data, reached: true, retryable: false } });
  }
  expect(after(voicemails, requested, accepted, delivered)).toMatchObject({
    status: 'DELIVERED',
    failureReason: null,
    carrierReference: 'm1',
    endedAt: now,
  });
});

test('silence is no delivery, and says so', () => {
  const [end] = voicemails.fallSilent(after(voicemails, requested, accepted));
  expect(after(voicemails, requested, accepted, end!)).toMatchObject({
    status: 'NOT_DELIVERED',
    failureReason: 'The vendor has said nothing of it for an hour.',
  });
  expect(end!.data).toMatchObject({ via: 'silence' });
});

/** Everything that can be said of a voicemail, by whoever says it. */
const said = fc.constantFrom<(row: Voicemail) => Fact[]>(
  answered(yes),
  answered(lost),
  answered(no),
  answered({ ...no, retryable: true, reached: false }),
  heard({ result: 'delivered' }),
  heard(full),
  heard({ ...full, result: 'skipped' }),
  heard({ ...full, result: 'failed' }),
  voicemails.fallSilent,
);

test('whatever is said, in whatever order and however often, the first end stays, and nothing is recorded after it', () =>
  fc.assert(
    fc.property(fc.array(said, { maxLength: 12 }), (decisions) => {
      let row = after(voicemails, requested);
      for (const decide of decisions) {
        const facts = decide(row);
        if (voicemails.isOver(row)) expect(facts).toEqual([]);
        expect(facts.length).toBeLessThan(2);
        for (const fact of facts) row = fold(voicemails, row, eventOf(fact, row.version + 1));
        expect(voicemails.isOver(row)).toBe(row.endedAt !== null);
        expect(row.failureReason === null).toBe(!voicemails.isOver(row) || row.status === 'DELIVERED');
        if (row.isUncertain) expect(row).toMatchObject({ status: 'PENDING', carrierReference: null });
      }
    }),
  ));

test('no two voicemails of one story differ by what was said twice', () =>
  fc.assert(
    fc.property(fc.array(said, { maxLength: 8 }), (decisions) => {
      const told = (times: 1 | 2) =>
        decisions
          .flatMap((decide) => Array.from({ length: times }, () => decide))
          .reduce(
            (row, decide) =>
              decide(row).reduce(
                (next, fact) => fold(voicemails, next, eventOf(fact, next.version + 1)),
                row,
              ),
            after(voicemails, requested),
          );
      expect(told(2)).toEqual(told(1));
    }),
  ));
