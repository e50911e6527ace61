/** What every vendor of voicemails must keep, whoever it is: the suite is about the port, and two adapters stand it. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Answer } from '../../src/domain/voicemail.ts';
import { openDropCowboy, type VoicemailVendor } from '../../src/voicemail.ts';
import { openListener } from '../support/listener.ts';
import { FROM, withSimulatedCarrier } from '../support/simulated-carrier.ts';

const id = '01890a5d-ac96-774b-bcce-b302099a8057';
const otherId = '01890a5d-ac96-774b-bcce-b302099a8058';
const secret = 'a-secret-of-the-account';

/** A vendor behind its adapter, and what it does outside of it. */
interface Scene {
  vendor: VoicemailVendor;
  /** Where nobody listens. */
  nowhere: VoicemailVendor;
  /** Where a recording is. */
  audioUrl: string;
  callbackUrl: string;
  /** How many drops to a number it has accepted. */
  accepted(to: string): number;
  /** Waits for the first callback; answers its body. */
  callback(): Promise<string>;
}

/** Numbers at which a vendor does what is said. */
interface Cast {
  delivered: string;
  notDelivered: string;
  skipped: string;
  failed: string;
  refused: string;
  busy: string;
  lost: string;
  broken: string;
}

type Play = (scene: Scene) => Promise<void>;

/** A URL at which nobody listens. */
async function freeUrl(): Promise<string> {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** The suite. `stage` sets a fresh vendor up for the length of a play. */
function conforms(name: string, cast: Cast, stage: (play: Play) => Promise<void>): void {
  const order = (scene: Scene, to: string, voicemailId = id) => ({
    voicemailId,
    to,
    from: FROM,
    audioUrl: scene.audioUrl,
    callbackUrl: scene.callbackUrl,
  });
  const withScene = (play: Play) => () => stage(play);

  describe(`${name}, as a vendor of voicemails,`, () => {
    test(
      'accepts a drop, and says under which name',
      withScene(async (scene) => {
        const answer = await scene.vendor.drop(order(scene, cast.delivered));
        expect(answer).toEqual({ outcome: 'accepted', carrierReference: expect.any(String) });
        expect(scene.accepted(cast.delivered)).toBe(1);
      }),
    );

    test(
      'drops nothing twice when it is asked again with our id',
      withScene(async (scene) => {
        for (const _ of [1, 2, 3])
          expect((await scene.vendor.drop(order(scene, cast.delivered))).outcome).toBe('accepted');
        expect(scene.accepted(cast.delivered)).toBe(1);
        await scene.vendor.drop(order(scene, cast.delivered, otherId));
        expect(scene.accepted(cast.delivered)).toBe(2);
      }),
    );

    test.each([
      ['delivered', cast.delivered],
      ['not_delivered', cast.notDelivered],
      ['skipped', cast.skipped],
      ['failed', cast.failed],
    ])('tells at our address that it was %s', (result, to) =>
      stage(async (scene) => {
        await scene.vendor.drop(order(scene, to));
        const body = await scene.callback();
        expect(scene.vendor.resultOf(body, id)).toMatchObject({ result });
        expect(scene.vendor.resultOf(body, otherId)).toBeNull();
        expect(JSON.stringify(scene.vendor.resultOf(body, id))).not.toContain('555');
      }),
    );

    test.each<[string, (scene: Scene) => Promise<Answer>, Partial<Answer>]>([
      [
        'refuses for good what it was asked and will never do',
        (scene) => scene.vendor.drop(order(scene, cast.refused)),
        { outcome: 'rejected', retryable: false, reached: true },
      ],
      [
        'may be asked again where it was too busy',
        (scene) => scene.vendor.drop(order(scene, cast.busy)),
        { outcome: 'rejected', retryable: true, reached: false },
      ],
      [
        'may be asked again where it was never reached',
        (scene) => scene.nowhere.drop(order(scene, cast.delivered)),
        { outcome: 'rejected', retryable: true, reached: false },
      ],
      [
        'is not known to have taken what it did not answer',
        (scene) => scene.vendor.drop(order(scene, cast.lost)),
        { outcome: 'unknown' },
      ],
      [
        'is not known to have taken what broke it',
        (scene) => scene.vendor.drop(order(scene, cast.broken)),
        { outcome: 'unknown' },
      ],
    ])('%s, in words that name neither person nor secret', (_, drop, expected) =>
      stage(async (scene) => {
        const answer = await drop(scene);
        expect(answer).toMatchObject(expected);
        const words = JSON.stringify(answer);
        for (const kept of ['555', secret, scene.callbackUrl, scene.audioUrl, id])
          expect(words).not.toContain(kept);
        if (answer.outcome === 'unknown') expect(answer.cause).toMatch(/^[a-z0-9_]+$/);
        if (answer.outcome === 'rejected') expect(answer.message).toMatch(/Nothing was sent\.$/);
      }),
    );

    test(
      'understands nothing of what it has not said, and breaks at none of it',
      withScene(async ({ vendor }) => {
        const anything = fc.oneof(
          fc.string(),
          fc.json(),
          fc.constantFrom('null', '[]', '"x"', '['.repeat(9_999)),
        );
        fc.assert(
          fc.property(anything, (body) => {
            expect(vendor.resultOf(body, id)).toBeNull();
          }),
        );
      }),
    );
  });
}

conforms(
  'Drop Cowboy',
  {
    delivered: '+14155550140',
    notDelivered: '+14155550141',
    skipped: '+14155550142',
    failed: '+14155550143',
    refused: '+14155550145',
    busy: '+14155550112',
    lost: '+14155550113',
    broken: '+14155550116',
  },
  async (play) => {
    const listener = await openListener();
    listener.answer('/a.mp3', () => ({ contentType: 'audio/mpeg', body: 'sound' }));
    try {
      await withSimulatedCarrier({}, async ({ carrier }) => {
        await play({
          vendor: openDropCowboy({ apiUrl: `${carrier.url}/voicemail`, key: 'key', secret }),
          nowhere: openDropCowboy({ apiUrl: await freeUrl(), key: 'key', secret }),
          audioUrl: `${listener.url}/a.mp3`,
          callbackUrl: `${listener.url}/told`,
          accepted: (to) =>
            carrier.ledger().filter((line) => line.kind === 'drop' && line.accepted && line.to === to).length,
          callback: async () => (await listener.until(1, '/told'))[0]!.body,
        });
      });
    } finally {
      await listener.close();
    }
  },
);

/** Another vendor, as small as one can be: a line of text says what is wanted, another one what came of it. */
const openPlain = (url: string): VoicemailVendor => ({
  name: 'Plain',
  drop: async ({ voicemailId, to, callbackUrl }) => {
    try {
      const response = await fetch(url, { method: 'POST', body: `${voicemailId} ${to} ${callbackUrl}` });
      const said = await response.text();
      if (response.status === 201) return { outcome: 'accepted', carrierReference: said };
      if (response.status >= 500) return { outcome: 'unknown', cause: `http_${response.status}` };
      const isBusy = response.status === 429;
      const message = 'It was refused. Nothing was sent.';
      return { outcome: 'rejected', carrierCode: said, message, retryable: isBusy, reached: !isBusy };
    } catch (error) {
      const { code } = (error as { cause: { code: string } }).cause;
      if (code !== 'ECONNREFUSED') return { outcome: 'unknown', cause: code.toLowerCase() };
      const message = 'It was not reached. Nothing was sent.';
      return { outcome: 'rejected', carrierCode: null, message, retryable: true, reached: false };
    }
  },
  resultOf: (body, voicemailId) => {
    const [, result, told] = /^told: (delivered|not_delivered|skipped|failed) (\S+)$/.exec(body) ?? [];
    if (told !== voicemailId) return null;
    if (result === 'delivered') return { result };
    return { result: result as 'failed', carrierCode: null, reason: 'It did not work.' };
  },
});

const plainCast = {
  delivered: '+14155550100',
  notDelivered: '+14155550101',
  skipped: '+14155550102',
  failed: '+14155550103',
  refused: '+14155550104',
  busy: '+14155550105',
  lost: '+14155550106',
  broken: '+14155550107',
};

conforms('another one', plainCast, async (play) => {
  const taken = new Map<string, string>();
  const told = Promise.withResolvers<string>();
  const server = http.createServer((request, response) => {
    void text(request).then((body) => {
      const [voicemailId = '', to = ''] = body.split(' ');
      const { refused, busy, broken } = plainCast;
      const status = { [refused]: 422, [busy]: 429, [broken]: 500 }[to] ?? 201;
      if (to === plainCast.lost) return request.socket.destroy();
      if (status === 201) {
        taken.set(voicemailId, to);
        const end = ['delivered', 'not_delivered', 'skipped', 'failed'][Number(to.at(-1))];
        told.resolve(`told: ${end} ${voicemailId}`);
      }
      return response.writeHead(status).end(`r-${taken.size}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await play({
      vendor: openPlain(url),
      nowhere: openPlain(await freeUrl()),
      audioUrl: 'http://audio.test/',
      callbackUrl: 'http://told.test/',
      accepted: (to) => [...taken.values()].filter((number) => number === to).length,
      callback: () => told.promise,
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

describe('Drop Cowboy', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const order = {
    voicemailId: id,
    to: '+14155550140',
    from: FROM,
    audioUrl: 'http://a.test/',
    callbackUrl: 'http://b.test/',
  };

  /** What is made of an answer, and what was asked. */
  async function answerTo(status: number, body: string, headers: Record<string, string> = {}) {
    const asked = vi
      .spyOn(globalThis, 'fetch')
      .mockImplementation((_, init) =>
        init!.redirect === 'error' && status >= 300 && status < 400
          ? Promise.reject(new TypeError('redirected'))
          : Promise.resolve(new Response(body, { status, headers })),
      );
    const vendor = openDropCowboy({ apiUrl: 'https://vendor.test', key: 'key', secret });
    const answer = await vendor.drop(order);
    expect(asked).toHaveBeenCalledTimes(1);
    return { answer, asked: asked.mock.calls[0]! };
  }

  test('is asked once, with the keys in headers, our id as its idempotency key, and nothing about the person', async () => {
    const { asked } = await answerTo(202, '{"status":"queued","message_id":"m1"}');
    expect(asked[0]).toBe('https://vendor.test/rvm');
    expect(asked[1]!.headers).toMatchObject({ 'x-key': 'key', 'x-secret': secret, 'idempotency-key': id });
    expect(JSON.parse(asked[1]!.body as string)).toEqual({
      to: '+14155550140',
      caller_id: FROM,
      audio_url: 'http://a.test/',
      foreign_id: id,
      callback_url: 'http://b.test/',
    });
  });

  test.each<[number, string, object]>([
    [202, '{"status":"queued","message_id":"m1"}', { outcome: 'accepted', carrierReference: 'm1' }],
    [200, '{"status":"queued"}', { outcome: 'accepted', carrierReference: null }],
    [
      200,
      '{"status":"error","message":"No funds"}',
      { outcome: 'rejected', carrierCode: null, retryable: false },
    ],
    [202, '{"error":"x","code":"E1"}', { outcome: 'rejected', carrierCode: 'E1', retryable: false }],
    [200, '{}', { outcome: 'unknown', cause: 'http_200' }],
    [202, '<html>', { outcome: 'unknown', cause: 'http_202' }],
    [202, '"queued"', { outcome: 'unknown', cause: 'http_202' }],
    [307, '', { outcome: 'unknown', cause: 'typeerror' }],
    [400, '{"code":"E2"}', { outcome: 'rejected', carrierCode: 'E2', retryable: false, reached: true }],
    [401, '', { outcome: 'rejected', carrierCode: '401', retryable: false, reached: true }],
    [429, '', { outcome: 'rejected', carrierCode: '429', retryable: true, reached: false }],
    [500, '{"status":"error"}', { outcome: 'unknown', cause: 'http_500' }],
    [503, '', { outcome: 'unknown', cause: 'http_503' }],
  ])('that answers %i with %s', async (status, body, expected) => {
    expect((await answerTo(status, body)).answer).toMatchObject(expected);
  });

  test('that does not answer in time may have taken it', async () => {
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort(new DOMException('', 'TimeoutError')));
    const vendor = openDropCowboy({ apiUrl: 'http://127.0.0.1:1', key: 'key', secret });
    expect(await vendor.drop(order)).toEqual({ outcome: 'unknown', cause: 'timeouterror' });
  });
});
