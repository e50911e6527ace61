import { expect } from 'vitest';
import { sql } from 'kysely';
import { eventually } from './eventually.ts';
import { frames } from './mp3.ts';
import { addPatient, setUp, type Answer, type App, type LedgerEntry } from './program.ts';

/** A voicemail as a test reads it. */
export interface Voicemail {
  id: string;
  status: string;
  phoneTo: string;
  phoneFrom: string;
  carrierReference: string | null;
  failureReason: string | null;
  createdAt: string;
  updatedAt: string;
  decision: { allowed: boolean; basis: string };
  patient: { id: string };
  audio: { id: string };
  useCase: { id: string };
  events: { type: string; actor: string; recordedAt: string; data: Record<string, unknown> }[];
}

const fields = `id status phoneTo phoneFrom carrierReference failureReason createdAt updatedAt
  decision { allowed basis } patient { id } audio { id } useCase { id } events { type actor recordedAt data }`;

/** Everything that sendVoicemail may answer. */
const sendVoicemail = `mutation ($input: SendVoicemailInput!) {
  sendVoicemail(input: $input) {
    __typename
    ... on SendVoicemailPayload { replayed event { id type version } voicemail { ${fields} } }
    ... on Error { code message }
    ... on InputError { fields { path message } }
    ... on NotFoundError { id }
    ... on ContactBlockedError { decision { allowed blocks nextAllowedAt } }
    ... on StateError { state }
    ... on CarrierError { carrierCode retryable }
  }
}`;

/** Asks for a voicemail; what is answered. */
export async function send(app: App, input: Record<string, unknown>, key = app.key) {
  const { data, errors } = await app.ask(sendVoicemail, { input }, key);
  expect(errors).toBeUndefined();
  return data.sendVoicemail;
}

/** Uploads twelve seconds of silence under a name; answers its id. */
export async function upload(app: App, name = 'default', key = app.key): Promise<string> {
  const query = `mutation ($file: File!, $name: String!) { uploadVoicemailAudio(file: $file, name: $name) {
    ... on UploadVoicemailAudioPayload { audio { id } } } }`;
  const form = new FormData();
  form.set('operations', JSON.stringify({ query, variables: { file: null, name } }));
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  const sound = new Uint8Array(frames(500, { rate: 48_000 }));
  form.set('0', new File([sound], 'x.mp3', { type: 'audio/mpeg' }));
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
  return ((await response.json()) as Answer).data.uploadVoicemailAudio.audio.id as string;
}

/** A use case over numbers of ours; answers its id. */
export async function addUseCase(app: App, numberIds: string[], channel = 'VOICEMAIL', key = app.key) {
  const { data } = await app.ask(
    `mutation ($numberIds: [ID!]!, $channel: Channel!) {
      createUseCase(input: { name: "Reminders", channel: $channel, numberIds: $numberIds }) { ... on UseCasePayload { useCase { id } } } }`,
    { numberIds, channel },
    key,
  );
  return data.createUseCase.useCase.id as string;
}

/** What it takes to leave voicemails: a number of ours, a use case for voicemail, a recording. */
export async function setUpVoicemail(app: App, phone = '+14155550199', key = app.key) {
  const { numberId, serviceId } = await setUp(app, phone, key);
  const [audioId, useCaseId] = await Promise.all([
    upload(app, 'default', key),
    addUseCase(app, [numberId], 'VOICEMAIL', key),
  ]);
  return { numberId, serviceId, audioId, useCaseId };
}

/** What voicemails are left with. */
export type Setup = Awaited<ReturnType<typeof setUpVoicemail>>;

/** An input for a new patient with this number. */
export async function inputTo(app: App, { audioId, useCaseId }: Setup, phone: string) {
  return { patientId: await addPatient(app, phone), useCaseId, audioId };
}

/** A voicemail as it is now; null: there is none. */
export async function voicemailOf(app: App, id: string, key = app.key): Promise<Voicemail> {
  const { data, errors } = await app.ask(
    `query ($id: ID!) { voicemail(id: $id) { ${fields} } }`,
    { id },
    key,
  );
  expect(errors).toBeUndefined();
  return data.voicemail as Voicemail;
}

/** Waits until a voicemail is over. */
export const ended = (app: App, id: string): Promise<Voicemail> =>
  eventually(async () => {
    const voicemail = await voicemailOf(app, id);
    return voicemail.status === 'PENDING' ? null : voicemail;
  });

/** Types of a voicemail's events, oldest first. */
export const typesOf = ({ events }: Voicemail): string[] => events.map(({ type }) => type);

/** One line of the simulated vendor's ledger. */
export interface DropEntry extends LedgerEntry {
  messageId?: string;
  url?: string;
  params?: Record<string, string>;
}

/** What the simulated vendor was asked about a number, and what it told. */
export const dropsTo = async (app: App, phone: string): Promise<DropEntry[]> =>
  (await app.ledger()).filter(({ kind, to }) => kind.startsWith('drop') && to === phone);

/** How many drops to a number the vendor has accepted. */
export const acceptedDrops = async (app: App, phone: string): Promise<number> =>
  (await dropsTo(app, phone)).filter(({ kind, accepted }) => kind === 'drop' && accepted).length;

/** Rows that a refused request must leave as they were, and what the vendor was asked. */
export async function countsOf(app: App): Promise<Record<string, number>> {
  const [rows] = await app.world.query<Record<string, number>>(sql`
    select (select count(*)::int from event) as events, (select count(*)::int from voicemail) as voicemails,
      (select count(*)::int from contact) as contacts, (select sum(version)::int from contact) as attempts,
      (select count(*)::int from idempotency_key) as keys`);
  return { ...rows, asked: (await app.ledger()).filter(({ kind }) => kind === 'drop').length };
}
