/** Recordings for voicemails: uploaded by whoever has a key, fetched by whoever has a link that we have signed. */
import { createHash, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VoicemailAudio } from '../../src/domain/voicemail-audio.ts';
import { openSigning } from '../../src/signing.ts';
import { openVoicemailAudio } from '../../src/voicemail-audio.ts';
import { frames, id3v2, sized, wav, xing } from '../support/mp3.ts';
import { testKey, withApp, type Answer, type App } from '../support/program.ts';

const mebibyte = 1_048_576;
const day = 86_400_000;

let app: App;
const over = Promise.withResolvers<void>();
let running: Promise<void>;

beforeAll(async () => {
  const opened = Promise.withResolvers<App>();
  running = withApp(
    async (started) => {
      opened.resolve(started);
      await over.promise;
    },
    { API_KEY_REQUESTS_PER_MINUTE: '100000' },
  );
  running.catch(opened.reject);
  app = await opened.promise;
});

afterAll(async () => {
  over.resolve();
  await running;
});

/** Twelve seconds that no other test has: its picture is as long as it is told to be. */
let made = 0;
const recording = () => Buffer.concat([id3v2(3, { picture: (made += 1) }), frames(500, { rate: 48_000 })]);

const mutation = `mutation ($file: File!, $name: String!) { uploadVoicemailAudio(file: $file, name: $name) {
  __typename
  ... on UploadVoicemailAudioPayload { audio { id name durationSeconds bytes sha256 createdAt } }
  ... on InputError { code fields { path message } }
} }`;

async function send(content: Uint8Array<ArrayBuffer>, name = 'Reminder', key = testKey): Promise<Answer> {
  const form = new FormData();
  form.set('operations', JSON.stringify({ query: mutation, variables: { file: null, name } }));
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  form.set('0', new File([content], 'reminder.mp3', { type: 'audio/mpeg' }));
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
  return (await response.json()) as Answer;
}

async function upload(content: Buffer = recording(), name?: string, key?: string) {
  const { data } = await send(new Uint8Array(content), name, key);
  expect(data.uploadVoicemailAudio.__typename).toBe('UploadVoicemailAudioPayload');
  return data.uploadVoicemailAudio.audio as Omit<VoicemailAudio, 'workspaceId'>;
}

const refused = async (content: Buffer, name?: string) =>
  (await send(new Uint8Array(content), name)).data.uploadVoicemailAudio;

async function makeWorkspace(): Promise<{ id: string; key: string }> {
  const { data } = await app.ask(
    `mutation { createWorkspace(name: "B") { ... on WorkspacePayload { secret workspace { id } } } }`,
  );
  return { id: data.createWorkspace.workspace.id, key: data.createWorkspace.secret };
}

async function makeKey(scope: string): Promise<string> {
  const { data } = await app.ask(
    `mutation ($scope: String!) { createApiKey(name: "x", scopes: [$scope]) { ... on ApiKeyPayload { secret } } }`,
    { scope },
  );
  return data.createApiKey.secret;
}

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

async function contents(digest: string): Promise<{ workspace: string; content: Buffer }[]> {
  return app.world.query(
    sql`select workspace_id as workspace, content from voicemail_content where sha256 = ${digest}`,
  );
}

describe('an upload', () => {
  test('is kept with what its frames and its bytes say of it', async () => {
    const content = recording();
    const audio = await upload(content, 'Flu season');
    expect(audio).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'Flu season',
      durationSeconds: 12,
      bytes: content.length,
      sha256: sha256(content),
      createdAt: expect.stringMatching(/^2026-03-03T/),
    });
    expect(await contents(audio.sha256)).toEqual([{ workspace: app.workspaceId, content }]);
  });

  test('lasts what it lasts, whatever its header states and however long it is in bytes', async () => {
    const lying = Buffer.concat([
      xing(5, { rate: 48_000 }),
      frames(500, { rate: 48_000, kilobits: [32, 320] }),
    ]);
    expect(await upload(lying)).toMatchObject({ durationSeconds: 12 });
    const large = sized(8 * mebibyte, frames(500, { rate: 48_000 }));
    expect(await upload(large)).toMatchObject({ durationSeconds: 12, bytes: 8_388_608 });
  });

  test.each<[string, () => Buffer, RegExp]>([
    ['9.9 seconds', () => frames(379), /lasts 9.90 seconds/],
    ['60.1 seconds', () => frames(2_301), /lasts 60.11 seconds/],
    ['a file that is cut off', () => recording().subarray(0, -1), /is cut off/],
    ['a WAV file', () => wav(12), /is a WAV file/],
    ['nothing', () => Buffer.alloc(0), /is empty/],
    ['a byte more than 8 MiB', () => sized(8 * mebibyte + 1, frames(500)), /is larger than 8 MiB/],
    ['20 MiB', () => sized(20 * mebibyte, frames(500)), /is larger than 8 MiB/],
  ])('of %s is refused, and nothing is kept', async (_, make, why) => {
    const content = make();
    expect(await refused(content)).toEqual({
      __typename: 'InputError',
      code: 'AUDIO_INVALID',
      fields: [{ path: ['file'], message: expect.stringMatching(why) }],
    });
    expect(await contents(sha256(content))).toEqual([]);
  });

  test.each([[''], ['   '], ['x'.repeat(101)], ['half a \ud800']])('named %j is refused', async (name) => {
    const content = recording();
    expect(await refused(content, name)).toMatchObject({
      code: 'INVALID_INPUT',
      fields: [{ path: ['name'] }],
    });
    expect(await contents(sha256(content))).toEqual([]);
  });

  test('is read no further than it may be long', async () => {
    let given = 0;
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) {
          given += mebibyte;
          yield new Uint8Array(mebibyte);
        }
      } finally {
        isClosed = true;
      }
    }
    const { recordings, by } = replica();
    const uploading = recordings.upload({ name: 'Endless', content: endless() }, by);
    await expect(uploading).rejects.toMatchObject({ code: 'AUDIO_INVALID' });
    expect({ given, isClosed }).toEqual({ given: 9 * mebibyte, isClosed: true });
  });

  test('of the same bytes shares them, and under the same name is the recording that is there', async () => {
    const content = recording();
    const [first, again, other] = [
      await upload(content, 'First'),
      await upload(content, 'First'),
      await upload(content, 'Second'),
    ];
    expect(again).toEqual(first);
    expect(other).toMatchObject({ name: 'Second', sha256: first.sha256 });
    expect(other.id).not.toBe(first.id);
    expect(await contents(first.sha256)).toHaveLength(1);
  });

  test('by many at the same time is kept once', async () => {
    const content = recording();
    const all = await Promise.all(Array.from({ length: 8 }, () => upload(content, 'Race')));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(await contents(sha256(content))).toHaveLength(1);
  });

  test('of bytes that another workspace has is a recording of its own', async () => {
    const content = recording();
    const { id, key } = await makeWorkspace();
    const [ours, theirs] = [await upload(content, 'Same'), await upload(content, 'Same', key)];
    expect(theirs.id).not.toBe(ours.id);
    const kept = (await contents(ours.sha256)).map(({ workspace }) => workspace);
    expect(kept.toSorted()).toEqual([app.workspaceId, id].toSorted());
  });

  test('needs the scope voicemails:write', async () => {
    const content = new Uint8Array(recording());
    for (const scope of ['voicemails:read', 'patients:write', 'workspace:write']) {
      const { errors } = await send(content, 'x', await makeKey(scope));
      expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['FORBIDDEN']);
    }
    expect(await contents(sha256(content))).toEqual([]);
    const { data } = await send(content, 'x', await makeKey('voicemails:write'));
    expect(data.uploadVoicemailAudio.audio.name).toBe('x');
  });
});

/** What another process of the same deployment has: the same Postgres, nothing else. */
const replica = () => ({
  recordings: openVoicemailAudio({ world: app.world, clock: app.clock, signing: openSigning(app) }),
  by: { workspaceId: app.workspaceId, actor: 'test', source: 'api' as const, now: app.clock.now() },
});

/** A link to a recording, by default for a day. */
const link = (id: string, { workspaceId = app.workspaceId, lastsMs = day } = {}) =>
  replica().recordings.audioUrl({
    workspaceId,
    id,
    expiresAt: new Date(app.clock.now().getTime() + lastsMs),
    publicUrl: app.url,
  });

const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe('a link', () => {
  test('that another process has made gives the recording to whoever has it, without a key', async () => {
    const content = recording();
    const audio = await upload(content);
    const response = await fetch(await link(audio.id));
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'audio/mpeg',
      'content-length': String(content.length),
      etag: `"${audio.sha256}"`,
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'x-content-type-options': 'nosniff',
    });
    expect(await bytesOf(response)).toEqual(content);
  });

  test('holds ids, a time and a signature, and nothing else', async () => {
    const { id } = await upload(recording(), 'Ada Lovelace');
    const url = new URL(await link(id));
    expect([url.origin, url.pathname]).toEqual([app.url, `/carrier/audio/${id}`]);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      workspace: app.workspaceId,
      expires: expect.stringMatching(/^\d{10}$/),
      signature: expect.stringMatching(/^[\w-]{43}$/),
    });
  });

  test('tells by HEAD what it would give', async () => {
    const content = recording();
    const { id, sha256 } = await upload(content);
    const response = await fetch(await link(id), { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length'), response.headers.get('etag')]).toEqual([
      200,
      String(content.length),
      `"${sha256}"`,
    ]);
    expect(await bytesOf(response)).toHaveLength(0);
  });

  test('gives nothing twice to whoever has it already', async () => {
    const { id, sha256 } = await upload();
    const response = await fetch(await link(id), { headers: { 'if-none-match': `"${sha256}"` } });
    expect(response.status).toBe(304);
  });

  test.each<[headers: Record<string, string>, status: number, from: number, to: number]>([
    [{ range: 'bytes=0-99' }, 206, 0, 100],
    [{ range: 'bytes=100-' }, 206, 100, Infinity],
    [{ range: 'bytes=-50' }, 206, -50, Infinity],
    [{ range: 'bytes=0-99999999' }, 206, 0, Infinity],
    [{ range: 'bytes=99999999-' }, 416, 0, 0],
    [{ range: 'bytes=-0' }, 416, 0, 0],
    [{ range: 'bytes=0-9,20-29' }, 200, 0, Infinity],
    [{ range: 'bytes=9-0' }, 200, 0, Infinity],
    [{ range: 'lines=0-9' }, 200, 0, Infinity],
    [{ range: 'bytes=0-9', 'if-range': '"another"' }, 200, 0, Infinity],
  ])('asked with %j answers %i', async (headers, status, from, to) => {
    const content = recording();
    const { id } = await upload(content);
    const response = await fetch(await link(id), { headers });
    expect(response.status).toBe(status);
    const expected = content.subarray(from, to);
    expect(await bytesOf(response)).toEqual(expected);
    const start = from < 0 ? content.length + from : from;
    const part = {
      206: `bytes ${start}-${start + expected.length - 1}/${content.length}`,
      416: `bytes */${content.length}`,
    };
    expect(response.headers.get('content-range')).toBe(part[status as 206] ?? null);
  });

  test('is only for fetching', async () => {
    const { id } = await upload();
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await fetch(await link(id), { method })).status).toBe(405);
  });

  test('that has been changed in anything, or lacks something, is forbidden', async () => {
    const [{ id }, other] = [await upload(), await upload()];
    const { id: workspace } = await makeWorkspace();
    const url = await link(id);
    const expires = new URL(url).searchParams.get('expires')!;
    const changed = [
      url.replace(`audio/${id}`, `audio/${other.id}`),
      url.replace(`audio/${id}`, `audio/${randomUUID()}`),
      url.replace(app.workspaceId, workspace),
      url.replace(app.workspaceId, randomUUID()),
      url.replace(app.workspaceId, 'nobody'),
      url.replace(expires, String(Number(expires) + 1)),
      url.replace(expires, `0${expires}`),
      url.replace(expires, ''),
      url.replace(/signature=./, (start) => (start.endsWith('A') ? 'signature=B' : 'signature=A')),
      url.replace(/signature=.*/, `signature=${'A'.repeat(43)}`),
      url.replace(/signature=.*/, `signature=${'%C3%A4'.repeat(43)}`),
      url.replace(/signature=.*/, 'signature='),
      url.replace(/&signature=.*/, ''),
      url.replace(/\?.*/, ''),
    ];
    for (const forged of changed) expect([forged, (await fetch(forged)).status]).toEqual([forged, 403]);
    expect((await fetch(url)).status).toBe(200);
  });

  test('is gone from the second on at which it expires', async () => {
    const { id } = await upload();
    expect((await fetch(await link(id, { lastsMs: 0 }))).status).toBe(410);
    expect((await fetch(await link(id, { lastsMs: -day }))).status).toBe(410);
    expect((await fetch(await link(id, { lastsMs: 60_000 }))).status).toBe(200);
  });

  test('to what is not there, or is in another workspace, leads nowhere', async () => {
    const { id } = await upload();
    const theirs = await makeWorkspace();
    expect((await fetch(await link(randomUUID()))).status).toBe(404);
    expect((await fetch(await link(id, { workspaceId: theirs.id }))).status).toBe(404);
    for (const path of [
      '/carrier/audio/',
      '/carrier/audio/x',
      `/carrier/audio/${id}/x`,
      `/carrier/audio/%zz`,
    ])
      expect((await fetch(`${app.url}${path}`)).status).toBe(404);
  });

  test('is the same from all who make it at once, also the first of a workspace', async () => {
    const { id: workspaceId, key } = await makeWorkspace();
    const { id } = await upload(recording(), 'Race', key);
    const expiresAt = new Date(app.clock.now().getTime() + day);
    const made = await Promise.all(
      Array.from({ length: 8 }, () =>
        replica().recordings.audioUrl({ workspaceId, id, expiresAt, publicUrl: app.url }),
      ),
    );
    expect(new Set(made).size).toBe(1);
    expect((await fetch(made[0]!)).status).toBe(200);
  });
});
