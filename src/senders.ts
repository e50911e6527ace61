import { sql } from 'kysely';
import { callerIdsAmong, pickCallerId } from './domain/caller-id.ts';
import type { Choice, Sender } from './domain/channel.ts';
import type { Channel, Purpose } from './domain/consent.ts';
import { table as recordings, type VoicemailAudio } from './domain/voicemail-audio.ts';
import {
  mayLeaveVoicemail,
  phoneNumbers,
  useCases,
  type PhoneNumber,
  type UseCase,
} from './domain/workspace.ts';
import type { World } from './world.ts';

/** Who is to be reached, and what for. */
export interface Asked {
  workspaceId: string;
  patientId: string;
  serviceId?: string | null | undefined;
  purpose: Purpose;
}

/** What a voicemail is left with. */
export interface VoicemailKit {
  phoneFrom: string;
  useCaseId: string;
  audioId: string;
}

/** The recording that tasks leave where none is named for their purpose. */
const defaultRecording = 'default';

type Reader = Pick<World, 'query' | 'find'>;

/**
 * What each of these people can be tried with: our numbers for each channel, recordings, and what has reached them before.
 * As many statements for a hundred as for one.
 */
export async function openSenders(reader: Reader, asked: readonly Asked[]) {
  const here = { workspaceId: { in: [...new Set(asked.map(({ workspaceId }) => workspaceId))] } };
  const [numbers, cases, named, reached] = await Promise.all([
    reader.find<PhoneNumber>(phoneNumbers, { ...here, active: { eq: true } }),
    reader.find<UseCase>(useCases, here),
    reader.find<VoicemailAudio>(recordings, {
      ...here,
      name: { in: [defaultRecording, ...new Set(asked.map(({ purpose }) => purpose))] },
    }),
    reachedBefore(reader, asked),
  ]);

  function voicemailOf(who: Asked): VoicemailKit | null {
    const audio = recordingFor(who, named);
    if (!audio) return null;
    for (const useCase of casesOf(who, 'VOICEMAIL')) {
      const able = numbersIn(useCase).filter((number) => mayLeaveVoicemail(number));
      if (able.length > 0) return { phoneFrom: pick(able, who), useCaseId: useCase.id, audioId: audio.id };
    }
    return null;
  }

  /** The numbers that someone may be texted from: those of use cases for texts, else any that can. */
  function textNumbersOf(who: Asked): string[] {
    const inCases = casesOf(who, 'TEXT')
      .flatMap(numbersIn)
      .filter(({ text }) => text);
    const all = numbers.filter(({ workspaceId, text }) => workspaceId === who.workspaceId && text);
    return (inCases.length > 0 ? inCases : all).map(({ phone }) => phone);
  }

  const casesOf = ({ workspaceId }: Asked, channel: Channel) =>
    cases.filter((useCase) => useCase.workspaceId === workspaceId && useCase.channel === channel);
  const numbersIn = ({ workspaceId, numberIds }: UseCase) =>
    numbers.filter((number) => number.workspaceId === workspaceId && numberIds.includes(number.id));

  function sendersOf(who: Asked): Sender[] {
    const callers = callerIdsAmong(
      numbers.filter(({ workspaceId }) => workspaceId === who.workspaceId),
      who.serviceId ?? null,
    );
    const voicemail = voicemailOf(who);
    const texts = textNumbersOf(who);
    return [
      ...(callers.length > 0
        ? [{ channel: 'VOICE' as const, phoneFrom: pickCallerId(callers, who.patientId) }]
        : []),
      ...(voicemail ? [{ channel: 'VOICEMAIL' as const, phoneFrom: voicemail.phoneFrom }] : []),
      ...(texts.length > 0
        ? [{ channel: 'TEXT' as const, phoneFrom: pickCallerId(texts, who.patientId) }]
        : []),
    ];
  }

  return {
    voicemailOf,
    textNumbersOf,
    /** What a choice of channel is made from. */
    choiceOf: (who: Asked, preferred: Channel | null): Omit<Choice, 'tried' | 'isOpen'> => ({
      senders: sendersOf(who),
      preferred,
      worked: reached.get(who.patientId) ?? [],
    }),
  };
}

/** What people can be tried with. */
export type Senders = Awaited<ReturnType<typeof openSenders>>;

/** Channels on which people have been reached, the latest first: a person talked to us, or wrote. */
async function reachedBefore(reader: Reader, asked: readonly Asked[]): Promise<Map<string, Channel[]>> {
  const workspaceIds = [...new Set(asked.map(({ workspaceId }) => workspaceId))];
  const patientIds = [...new Set(asked.map(({ patientId }) => patientId))];
  const rows = await reader.query<{ patientId: string; channels: Channel[] }>(sql`
    select patient_id as "patientId", array_agg(channel order by at desc) as channels from (
      select patient_id, 'VOICE' as channel, max(ended_at) as at from call
        where workspace_id = any(${workspaceIds}) and patient_id = any(${patientIds}) and status = 'COMPLETED'
          and coalesce(answered_by, 'HUMAN') not in ('MACHINE', 'FAX') group by 1
      union all select patient_id, 'TEXT', max(at) from message
        where workspace_id = any(${workspaceIds}) and patient_id = any(${patientIds}) and direction = 'INBOUND' group by 1) reached
    group by 1`);
  return new Map(rows.map(({ patientId, channels }) => [patientId, channels]));
}

/** The newest recording named for the purpose, else the newest default. */
function recordingFor({ workspaceId, purpose }: Asked, named: VoicemailAudio[]): VoicemailAudio | undefined {
  const of = (name: string) =>
    named
      .filter((audio) => audio.workspaceId === workspaceId && audio.name === name)
      .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())[0];
  return of(purpose) ?? of(defaultRecording);
}

const pick = (able: PhoneNumber[], { patientId }: Asked): string =>
  pickCallerId(
    able.map(({ phone }) => phone),
    patientId,
  );
