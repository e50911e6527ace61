/** What the carrier tells of texts, however it tells it; and what a STOP does. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { becomes as taskBecomes, inSeconds, scheduled, taskOf, unlimited } from '../api/tasks.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, withApp } from '../support/program.ts';
import {
  becomes,
  newSid,
  ours,
  post,
  setUpTexts,
  start,
  talk,
  talksOf,
  text,
  texted,
  type Talk,
} from '../support/texts.ts';

const line = (ending: string, area = '212') => `+1${area}555${ending}`;
const bodies = ({ texts }: Talk) => texts.map(({ body }) => body);

/** What becomes of a text at each number, and how often the carrier is asked for it. */
const ends: Record<string, { status: string; asked?: number; closed?: boolean; failureReason?: string }> = {
  '0130': { status: 'DELIVERED' },
  '0131': { status: 'UNDELIVERED', closed: true, failureReason: 'undelivered_30003' },
  '0113': { status: 'DELIVERED' },
  '0114': { status: 'DELIVERED' },
  '0115': { status: 'UNDELIVERED', closed: true, failureReason: 'never_reached_carrier' },
  '0116': { status: 'DELIVERED' },
  '0112': { status: 'DELIVERED', asked: 3 },
  '0117': { status: 'DELIVERED' },
  '0118': { status: 'DELIVERED' },
  '0119': { status: 'DELIVERED' },
  '0120': { status: 'DELIVERED' },
  '0135': { status: 'UNDELIVERED', closed: true, failureReason: 'failed_30008' },
};

test('answers and callbacks that are lost, late, repeated or out of order all end in the truth, and nobody is texted twice', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const started = await Promise.all(
      Object.keys(ends).map(async (ending) => {
        const patientId = await addPatient(app, line(ending), `P ${ending}`);
        const made = await start(app, { patientId });
        expect({ ending, ...made }).toMatchObject({ ending, __typename: 'ConversationPayload' });
        return { ending, id: made.talk.id };
      }),
    );
    // Two minutes later all patience is over.
    await app.ask(`mutation { advanceClock(to: "${inSeconds(app, 120)}") }`);
    for (const { ending, id } of started) {
      const { status, asked = 1, closed = false, failureReason = null } = ends[ending]!;
      const seen = await eventually(async () => {
        const now = await talk(app, id);
        expect([ending, now.texts[0]!.status]).toEqual([ending, status]);
        return now;
      }, 30_000);
      expect([ending, seen.status]).toEqual([ending, closed ? 'CLOSED' : 'ACTIVE']);
      expect([ending, seen.texts[0]!.failureReason]).toEqual([ending, failureReason]);
      const asks = await texted(app, line(ending));
      expect([ending, asks.length]).toEqual([ending, asked]);
      expect([ending, asks.filter(({ accepted }) => accepted).length]).toEqual([
        ending,
        ending === '0115' ? 0 : 1,
      ]);
      const told = seen.events.map(({ type }) => type);
      expect([ending, ...new Set(told)]).toEqual([ending, ...told]);
    }
    const [attempts] = await app.world.query<{ open: number }>(sql`
      select count(*)::int as open from contact, jsonb_array_elements(attempts) a where a->>'endedAt' is null`);
    expect(attempts).toEqual({ open: 0 });
  }, unlimited));

test('a forged callback or text changes nothing, and one of another account neither', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const patientId = await addPatient(app, line('0130'));
    const { talk: made } = await start(app, { patientId });
    const before = await becomes(app, made.id, 'DELIVERED');
    const [message] = before.texts;
    const status = `/carrier/${app.workspaceId}/messages/${message!.id}/status`;
    const undelivered = { MessageSid: 'SM1', MessageStatus: 'undelivered', ErrorCode: '21610' };
    const said = { MessageSid: newSid(), From: line('0130'), To: ours, Body: 'STOP' };
    expect(await post(app, status, undelivered, 'forged')).toBe(403);
    expect(await post(app, '/carrier/messages', said, 'forged')).toBe(403);
    expect(await post(app, '/carrier/messages', { ...said, AccountSid: `AC${'1'.repeat(32)}` })).toBe(403);
    // Signed, but of another text, of none of ours, to nobody's number, or without a number at all.
    expect(await post(app, status, undelivered)).toBe(204);
    expect(await post(app, status.replace(message!.id, app.workspaceId), undelivered)).toBe(404);
    expect(await post(app, '/carrier/messages', { ...said, To: '+14155550111' })).toBe(404);
    expect(await post(app, '/carrier/messages', { MessageSid: newSid(), Body: 'x' })).toBe(400);
    expect(await talk(app, made.id)).toEqual(before);
    const { data } = await app.ask(
      `{ patient(id: "${patientId}") { canContact(channel: VOICE, purpose: LAB_RESULTS) { blocks } } }`,
    );
    expect(data.patient.canContact.blocks).not.toContain('DO_NOT_CONTACT');
  }));

test('a STOP that comes between the claim of a task and its dial is kept: it is not dialled', () =>
  withApp(
    async (app) => {
      await setUpTexts(app);
      // The account starts a call a second: of two that are due at once the second waits for its turn.
      const people = await Promise.all(
        ['0101', '0102'].map((ending) => addPatient(app, line(ending), `P ${ending}`)),
      );
      const tasks = await Promise.all(
        people.map((patientId) =>
          scheduled(app, {
            patientId,
            scheduledFor: inSeconds(app, 0.3),
          }),
        ),
      );
      const waiting = await eventually(async () => {
        const seen = await Promise.all(tasks.map(({ id }) => taskOf(app, id)));
        if (!seen.every(({ status }) => status === 'DISPATCHED')) return null;
        const { data } = await app.ask(
          `{ calls(filter: { statuses: [QUEUED] }) { edges { node { sid task { id } phoneTo } } } }`,
        );
        return data.calls.edges
          .map(({ node }: { node: { sid: string | null } }) => node)
          .find((node: { sid: string | null }) => !node.sid);
      });
      expect(await text(app, waiting.phoneTo, 'STOP')).toBe(200);
      const ended = await taskBecomes(app, waiting.task.id, 'FAILED', 'CANCELLED');
      expect(ended.lastOutcome).toBe('unwanted');
      const { data } = await app.ask(`{ calls { edges { node { phoneTo status endedReason sid } } } }`);
      const call = data.calls.edges.find(
        ({ node }: { node: { phoneTo: string } }) => node.phoneTo === waiting.phoneTo,
      ).node;
      expect(call).toMatchObject({ status: 'FAILED', endedReason: 'unwanted', sid: null });
      const dialled = (await app.ledger()).filter(
        ({ kind, to }) => kind === 'create' && to === waiting.phoneTo,
      );
      expect(dialled).toEqual([]);
    },
    { ...unlimited, CARRIER_CPS: '1', SIM_PACE: '10' },
  ));

test('STOP ends everything at once, on every channel: what is queued, what rings, what is open; START opens texts again', () =>
  withApp(
    async (app) => {
      await setUpTexts(app);
      const phone = line('0102'); // rings for long
      const patientId = await addPatient(app, phone);
      const task = await scheduled(app, { patientId, scheduledFor: '2026-03-09T15:00:00Z' });
      const { talk: made } = await start(app, { patientId });
      await becomes(app, made.id, 'DELIVERED');
      const { data: placed } =
        await app.ask(`mutation { placeCall(input: { patientId: "${patientId}", phoneFrom: "${ours}", reason: "x" }) {
        ... on PlaceCallPayload { call { id } } } }`);
      const callId = placed.placeCall.call.id;
      await app.follow(callId, (status) => status === 'RINGING');
      const stopped = text(app, phone, ' Stop ');
      const statuses = await app.follow(callId, (status) => status === 'CANCELED');
      expect([await stopped, statuses.at(-1)]).toEqual([200, 'CANCELED']);
      expect((await taskOf(app, task.id)).status).toBe('CANCELLED');
      const closed = await talk(app, made.id);
      expect(closed).toMatchObject({ status: 'CLOSED' });
      expect(bodies(closed).at(-1)).toBe(' Stop ');
      const may = async () => {
        const { data } = await app.ask(`{ patient(id: "${patientId}") {
          voice: canContact(channel: VOICE, purpose: LAB_RESULTS) { blocks }
          text: canContact(channel: TEXT, purpose: LAB_RESULTS) { blocks }
          voicemail: canContact(channel: VOICEMAIL, purpose: LAB_RESULTS) { blocks } } }`);
        const { voice, text: texts, voicemail } = data.patient;
        return [voice, texts, voicemail].map(({ blocks }) => blocks);
      };
      for (const blocks of await may()) expect(blocks).toContain('DO_NOT_CONTACT');
      expect(await start(app, { patientId })).toMatchObject({ code: 'CONTACT_BLOCKED' });
      // The carrier confirms STOP by itself.
      expect(await texted(app, phone)).toHaveLength(1);
      expect(await text(app, phone, 'yes')).toBe(200);
      expect(await may()).toEqual([['CONSENT_REVOKED'], [], ['CONSENT_REVOKED']]);
      const { data } = await app.ask(
        `{ patient(id: "${patientId}") { consents { method evidence channels revokedAt } } }`,
      );
      expect(data.patient.consents.at(-1)).toMatchObject({
        method: 'text of the person',
        evidence: expect.stringContaining('SM'),
        channels: ['TEXT'],
        revokedAt: null,
      });
      expect(await start(app, { patientId })).toMatchObject({ __typename: 'ConversationPayload' });
      // What was asked by an opt-out and its undoing stands in conversations of its own, that are over.
      expect((await talksOf(app, patientId)).map(({ status, texts }) => [status, texts.length])).toEqual([
        ['CLOSED', 2],
        ['CLOSED', 1],
        ['ACTIVE', 1],
      ]);
    },
    { ...unlimited, SIM_PACE: '2' },
  ));

test('who opts out in their own words is told once that it was understood, and then hears nothing more', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const cases = [
      ['0130', "Please don't call me again.", 'en', 'no more texts or calls'],
      ['0136', 'No más', 'es', 'no desea mensajes'],
    ] as const;
    for (const [ending, words, language, confirmed] of cases) {
      const { data } = await app.ask(
        `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
        { input: { name: `P ${ending}`, phone: line(ending, '213'), language, sourceSystem: 'ehr' } },
      );
      const patientId = data.upsertPatient.patient.id;
      const sid = newSid();
      // The carrier says it three times, once later.
      await Promise.all([1, 2].map(() => text(app, line(ending, '213'), words, { MessageSid: sid })));
      await text(app, line(ending, '213'), words, { MessageSid: sid });
      await text(app, line(ending, '213'), words);
      const sent = await texted(app, line(ending, '213'));
      expect(sent).toMatchObject([{ accepted: true, body: expect.stringContaining(confirmed) }]);
      const [first, second, ...others] = await talksOf(app, patientId);
      expect(others).toEqual([]);
      expect(first).toMatchObject({ status: 'CLOSED', reason: 'They wrote to us.' });
      expect(bodies(first!)).toEqual([words, sent[0]!.body]);
      expect([second!.status, bodies(second!)]).toEqual(['CLOSED', [words]]);
      expect(await start(app, { patientId })).toMatchObject({ code: 'CONTACT_BLOCKED' });
    }
  }));

test('whom the carrier knows to have opted out is opted out here as well, by its refusal and by its callback', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const refused = await addPatient(app, line('0132'), 'Refused Ray');
    const task = await scheduled(app, { patientId: refused, scheduledFor: '2026-03-09T15:00:00Z' });
    expect(await start(app, { patientId: refused })).toMatchObject({
      __typename: 'CarrierError',
      code: 'CARRIER_REJECTED',
      carrierCode: '21610',
      retryable: false,
    });
    expect((await taskOf(app, task.id)).status).toBe('CANCELLED');
    const told = await addPatient(app, line('0119'), 'Told Tina'); // callbacks are ours to make
    const { talk: made } = await start(app, { patientId: told });
    const { sid } = made.events.find(({ type }: { type: string }) => type === 'message.accepted')!.data as {
      sid: string;
    };
    const path = `/carrier/${app.workspaceId}/messages/${made.texts[0]!.id}/status`;
    const callback = { MessageSid: sid, MessageStatus: 'undelivered', ErrorCode: '21610' };
    expect(await Promise.all([1, 2, 3].map(() => post(app, path, callback)))).toEqual([204, 204, 204]);
    for (const patientId of [refused, told]) {
      const { data } = await app.ask(`{ patient(id: "${patientId}") {
        canContact(channel: VOICE, purpose: LAB_RESULTS) { blocks } timeline(types: ["contact.opted_out"]) { edges { node { data } } } } }`);
      expect(data.patient.canContact.blocks).toEqual(['DO_NOT_CONTACT']);
      expect(data.patient.timeline.edges).toHaveLength(1);
      expect((await talksOf(app, patientId)).map(({ status }) => status)).toEqual(['CLOSED']);
    }
  }, unlimited));
