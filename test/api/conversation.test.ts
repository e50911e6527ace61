/** What is texted, what is refused, and what becomes of it. */
import { expect, test } from 'vitest';
import { addPatient, withApp } from '../support/program.ts';
import { becomes, close, ours, send, setUpTexts, start, talk, text, texted } from '../support/texts.ts';

const line = (ending: string, area = '212') => `+1${area}555${ending}`;

test('a patient is texted, answers, is answered, and the conversation is closed: told in order', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const patientId = await addPatient(app, line('0130'));
    const made = await start(app, { patientId, opening: 'Care here: your visit is on Monday.' });
    expect(made).toMatchObject({ __typename: 'ConversationPayload' });
    const { id } = made.talk;
    expect(made.talk).toMatchObject({
      status: 'ACTIVE',
      phone: line('0130'),
      phoneFrom: ours,
      patient: { id: patientId },
    });
    expect((await becomes(app, id, 'DELIVERED')).texts).toMatchObject([
      {
        direction: 'OUTBOUND',
        body: 'Care here: your visit is on Monday. Reply STOP to opt out.',
        segments: 1,
        decision: { allowed: true, basis: 'PRIOR_EXPRESS' },
      },
    ]);
    expect(await text(app, line('0130'), 'At what time?')).toBe(200);
    const replied = await send(app, id, 'At nine.');
    expect(
      replied.talk.texts.map(({ direction, body }: { direction: string; body: string }) => [direction, body]),
    ).toEqual([
      ['OUTBOUND', 'Care here: your visit is on Monday. Reply STOP to opt out.'],
      ['INBOUND', 'At what time?'],
      ['OUTBOUND', 'At nine.'],
    ]);
    await becomes(app, id, 'DELIVERED');
    expect((await close(app, id)).talk).toMatchObject({ status: 'CLOSED' });
    expect(await close(app, id)).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'CLOSED' });
    expect(await send(app, id, 'Hello?')).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'CLOSED' });
    expect((await talk(app, id)).events.map(({ type }) => type)).toEqual([
      'conversation.started',
      'message.sent',
      'message.accepted',
      'message.delivered',
      'message.received',
      'message.sent',
      'message.accepted',
      'message.delivered',
      'conversation.closed',
    ]);
    expect(await texted(app, line('0130'))).toMatchObject([{ accepted: true }, { accepted: true }]);
  }));
