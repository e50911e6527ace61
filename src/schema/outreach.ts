import type { Engagement as EngagementRow } from '../domain/engagement.ts';
import { groups, type Tally } from '../domain/outreach-count.ts';
import { builder } from './builder.ts';

export const StatsGroup = builder.enumType('StatsGroup', {
  values: groups,
  description:
    "DAY: the date on the person's calendar, YYYY-MM-DD. HOUR: the hour of the person's day, 00 to 23. CAMPAIGN, SERVICE: ids. TAG: an attempt with two tags counts under both. ATTEMPT: which attempt at its task an attempt was, 01 the first; a task counts under the one that reached the person. What has no campaign, service, tag, task or known time zone is in no row of that group.",
});

export const OutreachStats = builder.objectRef<Tally & { key: string }>('OutreachStats').implement({
  description:
    'Dials, texts and voicemails that began in the span, and tasks that were due in it, with what has come of them since. Texts that answer a person are none.',
  authScopes: { scope: 'calls:read' },
  fields: (t) => ({
    key: t.exposeString('key', { description: 'The value of the group.' }),
    attempts: t.exposeInt('attempts', {
      description: 'All that were wanted of the carrier: calls, voicemails and texts.',
    }),
    answered: t.exposeInt('answered', { description: 'Calls that a person answered.' }),
    completed: t.exposeInt('completed', {
      description: 'Calls that ended COMPLETED, voicemails left, texts delivered.',
    }),
    failed: t.exposeInt('failed', {
      description: 'Calls that ended FAILED, voicemails not left, texts not delivered.',
    }),
    voicemails: t.exposeInt('voicemails', { description: 'How many of the attempts were voicemails.' }),
    texts: t.exposeInt('texts', { description: 'How many of the attempts were texts.' }),
    talkSeconds: t.exposeInt('talkSeconds', {
      description: 'How long the calls lasted that a person answered and that are over.',
    }),
    due: t.exposeInt('due', {
      description:
        'Tasks that were due in the span: for the first time, and without those that were cancelled before an attempt.',
    }),
    attempted: t.exposeInt('attempted', { description: 'Of those due: with an attempt.' }),
    reached: t.exposeInt('reached', {
      description:
        'Of those attempted: the person answered or wrote back, or was left what they were to be told.',
    }),
    achieved: t.exposeInt('achieved', { description: 'Of those reached: COMPLETED.' }),
    answerRate: t.float({
      description: 'The share of calls that a person answered, 0 to 1; 0 where there were no calls.',
      resolve: ({ attempts, answered, voicemails, texts }) => {
        const calls = attempts - voicemails - texts;
        return calls === 0 ? 0 : answered / calls;
      },
    }),
  }),
});

export const Engagement = builder.objectRef<EngagementRow>('Engagement').implement({
  description: 'Projected from outcomes by the event stream; asOf tells how far it has read.',
  authScopes: { scope: 'patients:read' },
  fields: (t) => ({
    attempts: t.exposeInt('attempts', { description: 'Calls, voicemails and texts, whatever came of them.' }),
    answered: t.exposeInt('answered', {
      description: 'Calls that the person answered, and texts that they wrote back to.',
    }),
    voicemails: t.exposeInt('voicemails', { description: 'How many of the attempts were voicemails.' }),
    texts: t.exposeInt('texts', { description: 'How many of the attempts were texts.' }),
    lastAttemptAt: t.expose('lastAttemptAt', { type: 'DateTime', nullable: true }),
    lastAnsweredAt: t.expose('lastAnsweredAt', { type: 'DateTime', nullable: true }),
    consecutiveUnanswered: t.exposeInt('consecutiveUnanswered', {
      description:
        'Calls since the last answer that were busy, not answered, or answered by a machine or a stranger.',
    }),
    reachability: t.exposeFloat('reachability', {
      nullable: true,
      description:
        '0 to 1: how often contact succeeds, with more weight on what is recent: a call counts half as much as one 30 days later. Null: nothing has been tried yet.',
    }),
    bestHour: t.exposeInt('bestHour', {
      nullable: true,
      description:
        'The local two-hour part of the day in which contact succeeds most, as its starting hour: 0, 2 to 22. Null: it never has.',
    }),
    asOf: t.exposeString('asOf', {
      description: 'The cursor of the last event that has been read for this; 0: none.',
    }),
  }),
});
