/** What answering machines hear: the message of the service after their beep, or nothing more (C-50). */
import { expect, test } from 'vitest';
import twilio from 'twilio';
import { placeCall, withApp, type App, type LedgerEntry } from '../support/program.ts';

const ours = '+14155550199';
const message = 'This is Riverside Care. Please call us back at 415 555 0199. Thank you.';

/** So long that it is still being said when a machine has ended its announcement. */
const greeting = 'Hello from Riverside Care. '.repeat(7).trim();

interface Entry extends LedgerEntry {
  params?: Record<string, string>;
  status?: string;
  url?: string;
}

async function addService(app: App, machineMessage: string | null): Promise<string> {
  const { data } = await app.ask(
    `mutation ($input: ServiceInput!) { createService(input: $input) { ... on ServicePayload { service { id machineMessage } } } }`,
    { input: { name: 'Care', systemPrompt: '', greeting, machineMessage } },
  );
  expect(data.createService.service.machineMessage).toBe(machineMessage);
  return data.createService.service.id;
}

async function place(app: App, phoneTo: string, serviceId: string): Promise<string> {
  const person = { firstName: 'Grace', lastName: `Hopper ${phoneTo}` };
  const input = { phoneTo, phoneFrom: ours, person, serviceId, reason: 'Check-up', basis: 'PRIOR_EXPRESS' };
  const { data } = await app.ask(placeCall, { input });
  expect(data.placeCall.__typename).toBe('PlaceCallPayload');
  return data.placeCall.call.id as string;
}

async function advance(app: App, seconds: number): Promise<void> {
  const to = new Date(app.clock.now().getTime() + seconds * 1000).toISOString();
  const { errors } = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to });
  expect(errors).toBeUndefined();
}

/** What the carrier was asked about a number. */
const askedOf = async (app: App, to: string): Promise<Entry[]> =>
  ((await app.ledger()) as Entry[]).filter((entry) => entry.to === to);

async function callOf(app: App, id: string) {
  const { data } = await app.ask(
    'query ($id: ID!) { call(id: $id) { status answeredBy durationSeconds endedReason outcome transcript { speaker text } } }',
    { id },
  );
  return data.call;
}

test('a machine hears the message of the service once, or is hung up on; nobody else hears it', () =>
  withApp(
    async (app) => {
      await app.ask(`mutation { registerPhoneNumber(input: { phone: "${ours}" }) { __typename } }`);
      const [leaving, silent] = [await addService(app, message), await addService(app, null)];
      const calls = {
        beep: await place(app, '+12015550104', leaving),
        noBeep: await place(app, '+12015550109', leaving),
        hungUp: await place(app, '+12025550104', silent),
        person: await place(app, '+12025550100', leaving),
      };
      await advance(app, 60);

      const left = (entries: Entry[]) =>
        entries.filter(({ kind }) => kind === 'update').map(({ params }) => params);
      const detection = (entries: Entry[]) =>
        entries.find(({ kind }) => kind === 'create')!.params!['MachineDetection'];
      const words = `<?xml version="1.0" encoding="UTF-8"?><Response><Say>${message}</Say><Hangup/></Response>`;
      for (const [to, id] of [
        ['+12015550104', calls.beep],
        ['+12015550109', calls.noBeep],
      ] as const) {
        const entries = await askedOf(app, to);
        expect(detection(entries)).toBe('DetectMessageEnd');
        expect(left(entries)).toEqual([{ Twiml: words }]);
        expect(await callOf(app, id)).toMatchObject({
          status: 'COMPLETED',
          answeredBy: 'MACHINE',
          outcome: 'left_message',
          transcript: [{ speaker: 'agent', text: message }],
        });
        // What is said takes its time: nobody hung up on it.
        expect((await callOf(app, id)).durationSeconds).toBeGreaterThan(5 + 0.06 * message.length - 1);
      }
      const hungUp = await askedOf(app, '+12025550104');
      expect(detection(hungUp)).toBe('Enable');
      expect(left(hungUp)).toEqual([{ Status: 'completed' }]);
      expect(await callOf(app, calls.hungUp)).toMatchObject({
        status: 'COMPLETED',
        answeredBy: 'MACHINE',
        outcome: null,
      });
      expect((await callOf(app, calls.hungUp)).durationSeconds).toBeLessThan(5);
      expect(left(await askedOf(app, '+12025550100'))).toEqual([]);
      expect((await callOf(app, calls.person)).answeredBy).not.toBe('MACHINE');
    },
    { SIM_PACE: '1' },
  ));

test('who could not be told apart is no machine, nor is one whose announcement nobody waited for', () =>
  withApp(async (app) => {
    await app.ask(`mutation { registerPhoneNumber(input: { phone: "${ours}" }) { __typename } }`);
    const leaving = await addService(app, message);
    for (const [answeredBy, to, updates] of [
      ['unknown', '+12035550121', []],
      ['machine_start', '+12055550121', [{ Status: 'completed' }]],
      [
        'machine_end_other',
        '+12065550121',
        [expect.objectContaining({ Twiml: expect.stringContaining(message) })],
      ],
    ] as const) {
      const id = await place(app, to, leaving);
      await app.follow(id, (status) => status === 'IN_PROGRESS');
      const [{ callSid: sid }] = (await askedOf(app, to)) as [Entry];
      await detected(app, sid!, answeredBy);
      if (updates.length > 0)
        await expect
          .poll(async () => (await askedOf(app, to)).some(({ kind }) => kind === 'update'))
          .toBe(true);
      // The next one's update comes after whatever this one was to have.
      const told = (await askedOf(app, to))
        .filter(({ kind }) => kind === 'update')
        .map(({ params }) => params);
      expect(told).toEqual(updates);
    }
    const unsure = await askedOf(app, '+12035550121');
    expect(unsure.filter(({ kind }) => kind === 'update')).toEqual([]);
  }));

/** What the carrier would tell of who answered, signed as it signs. */
async function detected(app: App, sid: string, answeredBy: string): Promise<void> {
  const create = ((await app.ledger()) as Entry[]).find(({ callSid }) => callSid === sid);
  const url = create!.params!['AsyncAmdStatusCallback']!.split('#')[0]!;
  const parameters = { CallSid: sid, AccountSid: `AC${'0'.repeat(32)}`, AnsweredBy: answeredBy };
  const signature = twilio.getExpectedTwilioSignature('simulated-carrier-token', url, parameters);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'x-twilio-signature': signature, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(parameters),
  });
  expect(response.status).toBe(204);
}
