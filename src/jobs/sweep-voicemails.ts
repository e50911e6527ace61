import { sql } from 'kysely';
import * as voicemails from '../domain/voicemail.ts';
import type { Voicemail } from '../domain/voicemail.ts';
import type { Sweep } from './sweep-calls.ts';

/** How many voicemails one sweep settles. */
const batch = 50;

/** Where a process died between intent and answer, nobody knows whether the vendor was asked. */
const lost = { outcome: 'unknown', cause: 'no_answer' } as const;

/**
 * Settles voicemails of which too little was heard: one without the vendor's answer becomes uncertain, one that the vendor
 * says nothing of for too long counts as not delivered. The vendor has no way to be asked. Answers how many.
 */
export async function sweepVoicemails({ world, attempts, pace, log }: Sweep, now: Date): Promise<number> {
  const stale = await world.query<{ workspaceId: string; id: string }>(sql`
    select workspace_id as "workspaceId", id from voicemail v
    where status = 'PENDING' and ${patience(pace)} <= ${now} order by status_at limit ${batch}`);
  for (const { workspaceId, id } of stale) {
    const where = { workspaceId: { eq: workspaceId }, id: { eq: id } };
    const voicemail = (await world.findOne<Voicemail>(voicemails.table, where))!;
    const by = { workspaceId, actor: 'sweep-voicemails', source: 'job' as const, now };
    const settle = (current: Voicemail) =>
      voicemails.isBeingSent(current) ? voicemails.answer(current, lost) : voicemails.fallSilent(current);
    await attempts.voicemails
      .record(voicemail, settle, by)
      .catch((error: unknown) => log(`voicemail ${id} could not be settled; it is tried again`, error));
  }
  return stale.length;
}

/** When the first voicemail will have been silent for too long, in whole milliseconds; null: none is open. */
export async function nextVoicemailSweep({ world, pace }: Sweep): Promise<Date | null> {
  const [next] = await world.query<{ at: number | null }>(sql`
    select ceil(extract(epoch from min(${patience(pace)})) * 1000)::float8 as at from voicemail v where status = 'PENDING'`);
  return next?.at == null ? null : new Date(next.at);
}

/** Until when silence is believed. Our own request takes its time however fast the simulated vendor is. */
const patience = (pace: number) => sql`status_at + make_interval(secs => case when version = 1
  then ${voicemails.answerMs / 1000}::float8 else ${voicemails.silenceMs / 1000 / pace}::float8 end)`;
