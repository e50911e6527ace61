import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { sql } from 'kysely';
import { newId, type Clock } from './clock.ts';
import type { By } from './domain/event.ts';
import * as audio from './domain/voicemail-audio.ts';
import type { VoicemailAudio } from './domain/voicemail-audio.ts';
import type { Signing } from './signing.ts';
import type { World } from './world.ts';

/** Which recording a link leads to, and until when. */
export interface Link {
  workspaceId: string;
  id: string;
  /** Counted in whole seconds. */
  expiresAt: Date;
  /** Where this server is reached from outside, without a slash at the end. */
  publicUrl: string;
}

/** Who fetches a recording, as the request came in. */
export interface Fetching {
  method: string;
  pathAndQuery: string;
  headers: IncomingHttpHeaders;
}

/** What a fetch is answered with. */
export interface Fetched {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

const path = /^\/carrier\/audio\/([0-9a-f-]{36})$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Keeps the recordings that may be left on answering machines, and gives them to whoever has a link. */
export function openVoicemailAudio({
  world,
  clock,
  signing,
}: {
  world: World;
  clock: Clock;
  signing: Signing;
}) {
  /**
   * Keeps a recording. Reads no more of it than it may have, and refuses AUDIO_INVALID. The same bytes are kept once in
   * a workspace; under the same name they are the recording that is already there.
   */
  async function upload(given: { name: string; content: AsyncIterable<Uint8Array> }, by: By) {
    const content = await readWithin(given.content, audio.maxBytes);
    const durationSeconds = audio.durationOf(content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const { workspaceId, now } = by;
    await world.query(sql`with kept as (
        insert into voicemail_content (workspace_id, sha256, content) values (${workspaceId}, ${sha256}, ${content})
        on conflict do nothing)
      insert into voicemail_audio (workspace_id, id, name, duration_seconds, bytes, sha256, created_at)
      values (${workspaceId}, ${newId(now)}, ${given.name}, ${durationSeconds}, ${content.length}, ${sha256}, ${now})
      on conflict do nothing`);
    const known = { workspaceId: { eq: workspaceId }, sha256: { eq: sha256 }, name: { eq: given.name } };
    return (await world.findOne<VoicemailAudio>(audio.table, known))!;
  }

  /** A URL from which a recording can be fetched without a key until it expires. Nothing in it tells of anybody. */
  async function audioUrl({ workspaceId, id, expiresAt, publicUrl }: Link): Promise<string> {
    const expires = String(Math.floor(expiresAt.getTime() / 1_000));
    const signature = await signing.sign(workspaceId, textOf(id, expires));
    return `${publicUrl}/carrier/audio/${id}?${new URLSearchParams({ workspace: workspaceId, expires, signature })}`;
  }

  /** A recording for a link: 403 for one that we have not signed, 410 after its time, 404 when it is not here. */
  async function serve({ method, pathAndQuery, headers }: Fetching): Promise<Fetched> {
    const url = new URL(pathAndQuery, 'http://localhost');
    const id = path.exec(url.pathname)?.[1];
    if (!id) return { status: 404 };
    const [workspaceId, expires, signature] = ['workspace', 'expires', 'signature'].map(
      (name) => url.searchParams.get(name) ?? '',
    ) as [string, string, string];
    const isOurs = uuid.test(workspaceId) && uuid.test(id);
    if (!isOurs || !(await signing.isSigned(workspaceId, textOf(id, expires), signature)))
      return { status: 403 };
    if (Number(expires) * 1_000 <= clock.now().getTime()) return { status: 410 };
    const here = { workspaceId: { eq: workspaceId }, id: { eq: id } };
    const found = await world.findOne<VoicemailAudio>(audio.table, here);
    if (!found) return { status: 404 };
    const answer = answerTo(method === 'GET' ? headers : {}, found);
    const [from, to] = answer.bytes;
    const body = method === 'GET' && to > from ? (await contentOf(found)).subarray(from, to) : null;
    return { status: answer.status, headers: answer.headers, ...(body && { body }) };
  }

  async function contentOf({ workspaceId, sha256 }: VoicemailAudio): Promise<Uint8Array> {
    const [row] = await world.query<{ content: Buffer }>(
      sql`select content from voicemail_content where workspace_id = ${workspaceId} and sha256 = ${sha256}`,
    );
    return row!.content;
  }

  return { upload, audioUrl, serve };
}

/** Keeps the recordings that may be left on answering machines. */
export type VoicemailRecordings = ReturnType<typeof openVoicemailAudio>;

/** All bytes of a source; refuses AUDIO_INVALID, and reads no further, as soon as there are more than the limit. */
async function readWithin(source: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw audio.tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The secret is one workspace's, so the workspace is signed with it. */
const textOf = (id: string, expires: string): string => `audio/${id}/${expires}`;

/** Status, headers and which bytes: all of them, the range that is asked for, or none that the asker has already. */
function answerTo(
  asked: IncomingHttpHeaders,
  { sha256, bytes }: VoicemailAudio,
): { status: number; headers: Record<string, string>; bytes: [from: number, to: number] } {
  const etag = `"${sha256}"`;
  const headers = { etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' };
  if (asked['if-none-match']?.includes(etag)) return { status: 304, headers, bytes: [0, 0] };
  const range = (asked['if-range'] ?? etag) === etag ? rangeOf(asked.range, bytes) : null;
  const [from, to] = range ?? [0, bytes];
  if (to <= from)
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${bytes}` }, bytes: [0, 0] };
  const content = { 'content-type': 'audio/mpeg', 'content-length': String(to - from) };
  const part = range && { 'content-range': `bytes ${from}-${to - 1}/${bytes}` };
  return { status: range ? 206 : 200, headers: { ...headers, ...content, ...part }, bytes: [from, to] };
}

/** The one range of a Range header, its end exclusive; null for several or none, which are answered whole (RFC 9110, 14.2). */
function rangeOf(header: string | undefined, size: number): [from: number, to: number] | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return null;
  if (first === '') return [Math.max(0, size - Number(last)), size];
  if (last !== '' && Number(last) < Number(first)) return null;
  return [Number(first), last === '' ? size : Math.min(size, Number(last) + 1)];
}
