/** A process that dies, or a carrier that answers nothing, between a text's intent and its end: it is sent once or never. */
import { expect, test } from 'vitest';
import type { ListedText, TextOrder } from '../../src/carrier/text.ts';
import { openConversations } from '../../src/conversation.ts';
import type { Answer } from '../../src/domain/call-progress.ts';
import * as conversations from '../../src/domain/conversation.ts';
import type { Message } from '../../src/domain/conversation.ts';
import type { By } from '../../src/domain/event.ts';
import { newId } from '../../src/clock.ts';
import { phoneNumbers, services } from '../../src/domain/workspace.ts';
import { ensureWorkspace } from '../../src/provision.ts';
import { openRegistry } from '../../src/registry.ts';
import type { World } from '../../src/world.ts';
import { withWorld } from '../support/database.ts';

const noon = new Date('2026-03-03T17:00:00Z');
const ours = '+14155550199';

/** A carrier that keeps what it is asked, and answers as it is told. */
class Carrier {
  readonly taken: ListedText[] = [];
  readonly asked: TextOrder[] = [];
  answer: 'accepts' | 'takes and dies' | 'dies' = 'accepts';
  isAway = false;

  text = (order: TextOrder): Promise<Answer> => {
    this.asked.push(order);
    const sid = `SM${this.asked.length}`;
    const taken = {
      sid,
      status: 'sent',
      carrierCode: null,
      via: 'lookup' as const,
      body: order.body,
      createdAt: noon,
    };
    if (this.answer !== 'dies') this.taken.unshift(taken);
    return this.answer === 'accepts'
      ? Promise.resolve({ outcome: 'accepted', sid })
      : Promise.reject(new Error('the process died'));
  };

  lookUpText = (sid: string) => Promise.resolve(this.taken.find((text) => text.sid === sid) ?? null);

  listTexts = () =>
    this.isAway ? Promise.reject(new Error('the carrier is away')) : Promise.resolve([...this.taken]);
}

/** A workspace with a patient, a carrier, and a clock that is set by hand. */
async function stage(world: World) {
  const { id: workspaceId } = await ensureWorkspace(world, noon);
  const common = { workspaceId, active: true, createdAt: noon };
  const service = { name: 'Care', systemPrompt: '', greeting: '', isDefault: true, recordsCalls: false };
  await world.insert(services, { ...common, ...service, id: newId(noon) });
  const number = {
    phone: ours,
    label: null,
    voice: true,
    text: true,
    voicemailSender: 'UNREGISTERED',
    serviceId: null,
  };
  await world.insert(phoneNumbers, { ...common, ...number, id: newId(noon) });
  const by = (): By => ({ workspaceId, actor: 'test', source: 'api', now: clock.time });
  const clock = { time: noon, now: () => clock.time };
  const said = { attributes: { name: 'Ada', phone: '+12125550130' }, source: 'ehr' };
  const { patient } = await openRegistry({ world }).state(said, by());
  const carrier = new Carrier();
  const open = () => openConversations({ world, carrier, clock, pace: 1, log: () => {} });
  return {
    carrier,
    start: () =>
      open().startConversation(
        {
          patientId: patient.id,
          phone: null,
          useCaseId: null,
          reason: 'x',
          purpose: 'OTHER',
          instruction: null,
          opening: null,
          idempotencyKey: 'key',
        },
        by(),
      ),
    /** Sweeps as another process does, so many seconds after noon. */
    sweepAt: (seconds: number) => {
      clock.time = new Date(noon.getTime() + seconds * 1000);
      return open().settle(clock.time);
    },
    message: async () =>
      (await world.find<Message>(conversations.messages, { workspaceId: { eq: workspaceId } }))[0]!,
  };
}

test('dies before the carrier has it: it is looked for, given up after a minute, and never sent', () =>
  withWorld(async (world) => {
    const { carrier, start, sweepAt, message } = await stage(world);
    carrier.answer = 'dies';
    await expect(start()).rejects.toThrow('died');
    await expect(start()).rejects.toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' });
    // What was sent in the same words before is another message.
    const { body } = carrier.asked[0]!;
    const before = new Date(noon.getTime() - 60_000);
    carrier.taken.push({
      sid: 'SM8',
      status: 'delivered',
      carrierCode: null,
      via: 'lookup',
      body,
      createdAt: before,
    });
    expect(await sweepAt(14)).toBe(0);
    expect(await sweepAt(15)).toBe(1);
    expect(await message()).toMatchObject({ status: 'PENDING', sid: null });
    carrier.isAway = true;
    await sweepAt(80);
    expect(await message()).toMatchObject({ status: 'PENDING' }); // nothing is concluded from no answer
    carrier.isAway = false;
    await sweepAt(150);
    expect(await message()).toMatchObject({ status: 'UNDELIVERED', failureReason: 'never_reached_carrier' });
    expect(await sweepAt(80_000)).toBe(0);
    expect((await start()).status).toBe('CLOSED'); // the same key asks no carrier
    expect(carrier.asked).toHaveLength(1);
  }));

test('dies after the carrier has taken it: it is found in its list, and not sent again', () =>
  withWorld(async (world) => {
    const { carrier, start, sweepAt, message } = await stage(world);
    carrier.answer = 'takes and dies';
    await expect(start()).rejects.toThrow('died');
    // One of other words is not it.
    carrier.taken.unshift({ ...carrier.taken[0]!, sid: 'SM9', body: 'Another' });
    await sweepAt(15);
    expect(await message()).toMatchObject({ status: 'ACCEPTED', sid: 'SM1' });
    carrier.taken.find(({ sid }) => sid === 'SM1')!.status = 'delivered';
    await sweepAt(200);
    expect(await message()).toMatchObject({ status: 'DELIVERED' });
    expect((await start()).status).toBe('ACTIVE');
    expect(carrier.asked).toHaveLength(1);
  }));

test(
  'one that the carrier took and never tells of is asked about for a day, less and less often',
  () =>
    withWorld(async (world) => {
      const { start, sweepAt, message } = await stage(world);
      await start();
      let asks = 0;
      for (let seconds = 0; seconds < 3 * 86_400; seconds += 600) asks += await sweepAt(seconds);
      expect(asks).toBeGreaterThan(24);
      expect(asks).toBeLessThan(40);
      expect(await message()).toMatchObject({ status: 'ACCEPTED', askAt: null });
    }),
  60_000,
);
