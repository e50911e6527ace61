/** Voicemails of tasks, with a vendor that does nothing but what a test tells it. */
import { expect, test, vi } from 'vitest';
import { openAttempts } from '../../src/attempt.ts';
import { newId } from '../../src/clock.ts';
import * as contacts from '../../src/domain/contact.ts';
import type { Channel } from '../../src/domain/consent.ts';
import * as patients from '../../src/domain/patient.ts';
import * as voicemails from '../../src/domain/voicemail.ts';
import type { Answer, Voicemail } from '../../src/domain/voicemail.ts';
import { table as recordings } from '../../src/domain/voicemail-audio.ts';
import { nextVoicemailSweep, sweepVoicemails } from '../../src/jobs/sweep-voicemails.ts';
import type { Sweep } from '../../src/jobs/sweep-calls.ts';
import { openWorkspaces } from '../../src/provision.ts';
import type { WantedTask } from '../../src/schedule.ts';
import type { Mailbox } from '../../src/voicemail.ts';
import { ours, withClinic, type Clinic } from './clinic.ts';

const accepted: Answer = { outcome: 'accepted', carrierReference: 'm1' };
const person = '+12125550140';

/** A vendor that accepts everything until it is told otherwise, and remembers what it was asked. */
function vendor() {
  const asked: Voicemail[] = [];
  let answer = (): Answer | Promise<Answer> => accepted;
  const mailbox: Mailbox = {
    drop: async (voicemail) => {
      asked.push(voicemail);
      return answer();
    },
    isFromVendor: () => Promise.resolve(true),
    resultOf: () => null,
  };
  return { asked, mailbox, answer: (given: typeof answer) => void (answer = given) };
}

/** A clinic that can leave voicemails, and a vendor; `hasVendor: false`: only the former. */
const withVendor = (work: (scene: Awaited<ReturnType<typeof sceneOf>>) => Promise<void>, hasVendor = true) =>
  withClinic(async (clinic) => work(await sceneOf(clinic, hasVendor)));

async function sceneOf(clinic: Clinic, hasVendor: boolean) {
  const { world, workspaceId, clock, carrier } = clinic;
  const { asked, mailbox, answer } = vendor();
  const attempts = openAttempts({
    world,
    carrier,
    clock: { now: clock.now, shiftMs: () => 0 },
    callsPerMinute: 1_000,
    callsPerSecond: 1_000,
    texts: null,
    mailbox: hasVendor ? mailbox : null,
  });
  const workspaces = openWorkspaces({ world, clock });
  const given = { phone: ours, label: null, voice: true, text: false, serviceId: null };
  const number = await workspaces.registerNumber(workspaceId, given);
  const useCase = await workspaces.createUseCase(workspaceId, {
    name: 'Reminders',
    channel: 'VOICEMAIL',
    numberIds: [number.id],
  });
  const audioId = newId(clock.now());
  await world.insert(recordings, {
    id: audioId,
    workspaceId,
    name: 'default',
    durationSeconds: 12,
    bytes: 1,
    sha256: '0',
    createdAt: clock.now(),
  });
  const sweep = { world, attempts, pace: 1, log: () => {} } as unknown as Sweep;
  const here = { workspaceId: { eq: workspaceId } };
  return {
    ...clinic,
    attempts,
    asked,
    answer,
    useCaseId: useCase.id,
    audioId,
    number,
    workspaces,
    /** A task for a new person; answers its id. */
    wanted: async (more: Partial<WantedTask> = { channel: 'VOICEMAIL' }) =>
      clinic.task(await clinic.patient(person), more),
    /** A task without a channel for a new person who prefers voicemails. */
    preferred: async () => {
      const patientId = await clinic.patient(person);
      const preferences = { preferredChannel: 'VOICEMAIL' as const, blockedChannels: [], windows: [] };
      await world.change(patients, patientId, (row) => patients.prefer(row, preferences), clinic.by());
      return clinic.task(patientId, { channel: null });
    },
    dispatch: () => clinic.dispatch(attempts),
    /** Claims what is due; answers what makes the attempts. */
    claim: async () => {
      const turns: (() => Promise<void>)[] = [];
      await attempts.dispatch((_, attempt) => void turns.push(attempt));
      return () => Promise.all(turns.map((turn) => turn()));
    },
    voicemail: async () => (await world.find<Voicemail>(voicemails.table, here))[0]!,
    /** Takes consent back for some channels, or for all. */
    revoke: async (channels: Channel[] | null) => {
      const contact = (await world.findOne<contacts.Contact>(contacts.table, {
        ...here,
        phone: { eq: person },
      }))!;
      const { patientId } = contact.consents[0]!;
      const given = { phone: person, patientId, channels, reason: 'asked' };
      await world.change(contacts, contact, (row) => contacts.revoke(row, given), clinic.by());
    },
    sweep: () => sweepVoicemails(sweep, clock.now()),
    nextSweep: () => nextVoicemailSweep(sweep),
    hear: (voicemail: Voicemail, result: voicemails.Result) =>
      attempts.voicemails.record(voicemail, (row) => voicemails.hear(row, result), clinic.by()),
  };
}

test('a task by voicemail leaves the default recording from the number of the use case, and is done when it was left', () =>
  withVendor(async ({ wanted, dispatch, asked, voicemail, hear, taskOf, useCaseId, audioId }) => {
    const taskId = await wanted();
    await dispatch();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ taskId, phoneTo: person, phoneFrom: ours, useCaseId, audioId });
    expect(await taskOf(taskId)).toMatchObject({ status: 'DISPATCHED', lastCallId: asked[0]!.id });
    await hear(await voicemail(), { result: 'delivered' });
    expect(await taskOf(taskId)).toMatchObject({ status: 'COMPLETED', lastOutcome: 'voicemail_left' });
    await dispatch();
    expect(asked).toHaveLength(1);
  }));

test('where no channel was named a call that nobody answers is followed by a voicemail, and the task says why', () =>
  withVendor(async ({ wanted, dispatch, asked, carrier, clock, callsOf, taskOf, attempts, by }) => {
    const taskId = await wanted({ channel: null });
    await dispatch();
    expect([carrier.orders.length, asked.length]).toEqual([1, 0]);
    const [call] = await callsOf(taskId);
    await attempts.record(
      call!,
      () => [{ type: 'call.no_answer', data: { endedReason: 'no_answer', via: 'callback' } }],
      by(),
    );
    const task = await taskOf(taskId);
    expect(task).toMatchObject({ channel: 'VOICEMAIL', tried: ['VOICE'] });
    expect(task.nextAttemptReason).toMatch(/no answer.*by voicemail, which has not been tried\.$/);
    clock.advance(task.nextAttemptAt!.getTime() - clock.now().getTime());
    await dispatch();
    expect([carrier.orders.length, asked.length]).toEqual([1, 1]);
  }));

test('a voicemail that is skipped closes the channel for the task, which goes on by call', () =>
  withVendor(async ({ preferred, dispatch, voicemail, hear, taskOf }) => {
    const taskId = await preferred();
    await dispatch();
    await hear(await voicemail(), { result: 'skipped', carrierCode: '6011', reason: 'A rule.' });
    expect(await taskOf(taskId)).toMatchObject({
      status: 'SCHEDULED',
      channel: 'VOICE',
      deadChannels: ['VOICEMAIL'],
    });
  }));

test.each<[string, Channel[] | null]>([
  ['opts out', null],
  ['takes back consent to voicemails', ['VOICEMAIL']],
])('whoever %s at the moment a task is claimed is left nothing', (_, channels) =>
  withVendor(async ({ wanted, claim, revoke, asked, voicemail, taskOf, clock, dispatch }) => {
    const taskId = await wanted();
    const attempt = await claim();
    clock.advance(10);
    await revoke(channels);
    await attempt();
    expect(asked).toEqual([]);
    expect(await voicemail()).toMatchObject({ status: 'FAILED', carrierReference: null });
    clock.advance(60_000);
    await dispatch();
    expect(asked).toEqual([]);
    expect((await taskOf(taskId)).status).toBe('FAILED');
  }),
);

test('what was held up after it was allowed is not sent but tried again, and counts as no attempt', () =>
  withVendor(async ({ wanted, claim, asked, taskOf, clock, dispatch }) => {
    const taskId = await wanted();
    const attempt = await claim();
    clock.advance(5_001);
    await attempt();
    expect(asked).toEqual([]);
    expect(await taskOf(taskId)).toMatchObject({ status: 'SCHEDULED', attempts: 0, untaken: 1 });
    clock.advance(60_000);
    await dispatch();
    expect(asked).toHaveLength(1);
  }));

test('where the process dies before the vendor is asked or before its answer is recorded, nobody asks again', () =>
  withVendor(
    async ({ wanted, claim, asked, answer, voicemail, taskOf, clock, sweep, nextSweep, dispatch }) => {
      for (const reached of [false, true]) {
        const before = asked.length;
        const taskId = await wanted();
        const attempt = await claim();
        answer(() => new Promise(() => {})); // taken, and the answer never comes
        if (reached) {
          void attempt();
          await vi.waitFor(() => expect(asked).toHaveLength(before + 1));
        }
        clock.advance(14_999);
        expect(await sweep()).toBe(0);
        expect(await nextSweep()).toEqual(new Date(clock.now().getTime() + 1));
        clock.advance(1);
        expect(await sweep()).toBe(1);
        expect(asked).toHaveLength(before + (reached ? 1 : 0));
        expect(await taskOf(taskId)).toMatchObject({ status: 'DISPATCHED' });
        clock.advance(3_599_999);
        expect(await sweep()).toBe(0);
        clock.advance(1);
        expect(await sweep()).toBe(1);
        expect(await sweep()).toBe(0);
        expect(await taskOf(taskId)).toMatchObject({
          status: 'FAILED',
          attempts: 1,
          lastOutcome: 'voicemail_not_delivered',
        });
        await dispatch();
        expect(asked).toHaveLength(before + (reached ? 1 : 0));
      }
      expect(await voicemail()).toMatchObject({ status: 'NOT_DELIVERED' });
    },
  ));

test('a vendor that is too busy is asked again later, and that counts as no attempt', () =>
  withVendor(async ({ wanted, dispatch, answer, asked, taskOf, clock }) => {
    answer(() => ({
      outcome: 'rejected',
      carrierCode: '429',
      message: 'Busy.',
      retryable: true,
      reached: false,
    }));
    const taskId = await wanted();
    await dispatch();
    expect(await taskOf(taskId)).toMatchObject({
      status: 'SCHEDULED',
      attempts: 0,
      nextAttemptReason: expect.stringMatching(/did not take the voicemail. Next try after 15 seconds\.$/),
    });
    answer(() => accepted);
    clock.advance(15_000);
    await dispatch();
    expect(await taskOf(taskId)).toMatchObject({ status: 'DISPATCHED', attempts: 1 });
    expect(asked).toHaveLength(2);
  }));

test('where nothing can leave voicemails any more a task goes on by call, unless its channel was named', () =>
  withVendor(async ({ preferred, wanted, dispatch, asked, taskOf, workspaces, workspaceId, carrier }) => {
    const taskId = await preferred();
    expect((await taskOf(taskId)).channel).toBe('VOICEMAIL');
    const number = { phone: ours, label: null, voice: true, text: false, serviceId: null };
    await workspaces.registerNumber(workspaceId, { ...number, voicemailSender: 'REJECTED' });
    expect((await dispatch()).blocked).toBe(1);
    expect(await taskOf(taskId)).toMatchObject({
      channel: 'VOICE',
      nextAttemptReason: 'Nothing here can leave voicemails any more. Next try by call.',
    });
    await dispatch();
    expect([carrier.orders.length, asked.length]).toEqual([1, 0]);
    expect((await taskOf(taskId)).status).toBe('DISPATCHED');
    await workspaces.registerNumber(workspaceId, { ...number, voicemailSender: 'UNKNOWN' });
    const named = await wanted();
    await workspaces.registerNumber(workspaceId, { ...number, voicemailSender: 'REJECTED' });
    await dispatch();
    expect(await taskOf(named)).toMatchObject({ status: 'FAILED', attempts: 0 });
    expect(asked).toEqual([]);
  }));

test('without a vendor a direct request is refused before anything is recorded, and a task goes elsewhere', () =>
  withVendor(
    async ({ attempts, wanted, dispatch, patient, taskOf, voicemail, by, useCaseId, audioId, world }) => {
      const patientId = await patient('+13125550140');
      const events = () => world.log({ workspaceId: by().workspaceId, limit: 500 });
      const asked = {
        patientId,
        phoneTo: null,
        useCaseId,
        audioId,
        purpose: 'OTHER' as const,
        basis: null,
        idempotencyKey: null,
      };
      const before = await events();
      await expect(attempts.voicemails.sendVoicemail(asked, by())).rejects.toMatchObject({
        code: 'OUTBOUND_NOT_CONFIGURED',
      });
      expect(await events()).toEqual(before);
      const taskId = await wanted();
      await dispatch();
      expect(await taskOf(taskId)).toMatchObject({ status: 'FAILED', attempts: 1 });
      expect(await voicemail()).toMatchObject({ status: 'FAILED' });
    },
    false,
  ));
