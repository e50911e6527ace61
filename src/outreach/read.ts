import { sql, type RawBuilder } from 'kysely';
import { bestHourOf, reachabilityOf, trialsKept, type Engagement, type Trial } from '../domain/engagement.ts';
import { grains, partsOf, type Grain, type Group, type Span, type Tally } from '../domain/outreach-count.ts';
import type { World } from '../world.ts';

/** The attempts with one key. */
interface OutreachStats extends Tally {
  key: string;
}

/** How many keys an answer has at most. */
const keysLimit = 1_000;

type Reader = Pick<World, 'query'>;

/** What is read of attempts: how many there were, and what they came to. */
export const openOutreach = ({ world }: { world: Reader }) => ({
  statsOf: (wanted: Parameters<typeof statsOf>[1]) => statsOf(world, wanted),
  engagementsOf: (workspaceId: string, patientIds: readonly string[]) =>
    engagementsOf(world, workspaceId, patientIds),
});

/** The reading of attempts. */
export type Outreach = ReturnType<typeof openOutreach>;

const name = 'outreach';
/** The generation that is read; nothing is there before the projection has begun. */
const live = sql`(select generation from projection where name = ${name} and is_live)`;

/** How an attempt is counted, by what `keysOf` says of it. */
const keyOf: Record<Group, RawBuilder<unknown>> = {
  DAY: sql`local_date`,
  HOUR: sql`lpad(local_hour::text, 2, '0')`,
  CHANNEL: sql`channel`,
  ORIGIN: sql`origin`,
  PURPOSE: sql`purpose`,
  CAMPAIGN: sql`campaign_id::text`,
  SERVICE: sql`service_id::text`,
  TAG: sql`unnest(tags)`,
};

/**
 * The attempts that began in a span, by key: whole months, days and hours as they were counted in advance, the edges from the
 * attempts themselves. Days and hours in their order, anything else by attempts, most first.
 */
async function statsOf(
  reader: Reader,
  { workspaceId, since, until, group }: { workspaceId: string; since: Date; until: Date; group: Group },
): Promise<OutreachStats[]> {
  const parts = partsOf(since, until);
  const here = sql`workspace_id = ${workspaceId} and generation = ${live}`;
  const counted = (grain: Grain) =>
    parts[grain].map(
      (span) => sql`select key, attempts, answered, completed, failed, voicemails, texts, talk_seconds
        from outreach_count where ${here} and grouped_by = ${group} and grain = ${grain} and ${within('begun_at', span)}`,
    );
  const edges = parts.EDGE.map(
    (span) => sql`select ${keyOf[group]}, 1, answered::int, completed::int, failed::int,
        (channel = 'VOICEMAIL')::int, (channel = 'TEXT')::int, case when answered then seconds else 0 end
      from outreach_attempt where ${here} and ${within('at', span)}`,
  );
  const selects = [...grains.flatMap(counted), ...edges];
  if (selects.length === 0) return [];
  const order = group === 'DAY' || group === 'HOUR' ? sql`key collate "C"` : sql`2 desc, key collate "C"`;
  return reader.query<OutreachStats>(sql`
    select key, sum(attempts)::int8 as attempts, sum(answered)::int8 as answered, sum(completed)::int8 as completed,
      sum(failed)::int8 as failed, sum(voicemails)::int8 as voicemails, sum(texts)::int8 as texts,
      sum(talk_seconds)::int8 as "talkSeconds"
    from (${sql.join(selects, sql` union all `)})
      as part(key, attempts, answered, completed, failed, voicemails, texts, talk_seconds)
    where key is not null group by key order by ${order} limit ${keysLimit}`);
}

const within = (column: string, [from, until]: Span) =>
  sql`${sql.ref(column)} >= ${from} and ${sql.ref(column)} < ${until}`;

/** What attempts at people have come to, by patient; one statement for a hundred as for one. */
async function engagementsOf(
  reader: Reader,
  workspaceId: string,
  patientIds: readonly string[],
): Promise<Map<string, Engagement>> {
  const here = sql`t.workspace_id = ${workspaceId} and t.generation = ${live} and t.patient_id = patient.id`;
  const rows = await reader.query<Read>(sql`
    select patient.id as "patientId", total.attempts, total.answered, total.voicemails, total.texts,
      total.last_attempt_at as "lastAttemptAt", total.last_answered_at as "lastAnsweredAt", trial.rows as trials,
      missed.count as "consecutiveUnanswered",
      coalesce((select cursor from projection where name = ${name} and is_live), 0)::int8 as cursor
    from unnest(${patientIds}::uuid[]) as patient(id)
    cross join lateral (
      select count(*)::int as attempts, count(*) filter (where reached)::int as answered,
        count(*) filter (where channel = 'VOICEMAIL')::int as voicemails, count(*) filter (where channel = 'TEXT')::int as texts,
        max(at) as last_attempt_at, max(answered_at) filter (where reached) as last_answered_at,
        max(at) filter (where reached) as reached_at
      from outreach_attempt t where ${here}) total
    cross join lateral (
      select count(*)::int as count from outreach_attempt t
      where ${here} and t.missed and t.at > coalesce(total.reached_at, '-infinity')) missed
    cross join lateral (
      select coalesce(json_agg(json_build_array(extract(epoch from at) * 1000, local_hour, reached)), '[]') as rows
      from (select at, local_hour, reached from outreach_attempt t
        where ${here} and (reached or missed) order by at desc limit ${trialsKept}) newest) trial`);
  return new Map(rows.map(({ patientId, ...row }) => [patientId, engagementOf(row)]));
}

type Read = Omit<Engagement, 'reachability' | 'bestHour' | 'asOf'> & {
  patientId: string;
  trials: [at: number, hour: number | null, reached: boolean][];
  cursor: number;
};

function engagementOf({ trials: told, cursor, ...counted }: Omit<Read, 'patientId'>): Engagement {
  const trials = told.map(([at, hour, reached]): Trial => ({ at: new Date(at), hour, reached }));
  return {
    ...counted,
    reachability: reachabilityOf(trials),
    bestHour: bestHourOf(trials),
    asOf: String(cursor),
  };
}
