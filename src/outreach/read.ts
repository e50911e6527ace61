import { sql, type RawBuilder } from 'kysely';
import { bestHourOf, reachabilityOf, trialsKept, type Engagement, type Trial } from '../domain/engagement.ts';
import { partsOf, type Group, type Part, type Tally } from '../domain/outreach-count.ts';
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

/** How an attempt or a task is counted, by what `keysOf` says of it. */
const keyOf: Record<Group, RawBuilder<unknown>> = {
  DAY: sql`local_date`,
  HOUR: sql`lpad(local_hour::text, 2, '0')`,
  ATTEMPT: sql`case when number < 100 then lpad(number::text, 2, '0') else number::text end`,
  CHANNEL: sql`channel`,
  ORIGIN: sql`origin`,
  PURPOSE: sql`purpose`,
  CAMPAIGN: sql`campaign_id::text`,
  SERVICE: sql`service_id::text`,
  TAG: sql`unnest(tags)`,
};

/** How each of a tally is read: counted in advance, of an attempt, and of a task. */
const columns: Record<keyof Tally, { counted: string; attempt: string; task: string }> = {
  attempts: { counted: 'attempts', attempt: '1', task: '0' },
  answered: { counted: 'answered', attempt: 'answered::int', task: '0' },
  completed: { counted: 'completed', attempt: 'completed::int', task: '0' },
  failed: { counted: 'failed', attempt: 'failed::int', task: '0' },
  voicemails: { counted: 'voicemails', attempt: `(channel = 'VOICEMAIL')::int`, task: '0' },
  texts: { counted: 'texts', attempt: `(channel = 'TEXT')::int`, task: '0' },
  talkSeconds: {
    counted: 'talk_seconds',
    attempt: 'case when answered then seconds else 0 end',
    task: '0',
  },
  due: { counted: 'due', attempt: '0', task: 'due::int' },
  attempted: { counted: 'attempted', attempt: '0', task: 'attempted::int' },
  reached: { counted: 'reached', attempt: '0', task: 'reached::int' },
  achieved: { counted: 'achieved', attempt: '0', task: 'achieved::int' },
};
const names = Object.keys(columns) as (keyof Tally)[];
const columnsAs = (source: 'counted' | 'attempt' | 'task', sign: 1 | -1) =>
  sql.raw(names.map((name) => `${sign} * ${columns[name][source]}`).join(', '));
const sums = sql.raw(names.map((name) => `sum("${name}")::int8 as "${name}"`).join(', '));
const quoted = sql.raw(names.map((name) => `"${name}"`).join(', '));

/** Groups that stand in their own order; the others by attempts, most first, and then by tasks. */
const isOrdered = (group: Group) => group === 'DAY' || group === 'HOUR' || group === 'ATTEMPT';

/**
 * The attempts that began in a span and the tasks that were due in it, by key: months, days and hours as they were counted in
 * advance, the edges from the rows themselves.
 */
async function statsOf(
  reader: Reader,
  { workspaceId, since, until, group }: { workspaceId: string; since: Date; until: Date; group: Group },
): Promise<OutreachStats[]> {
  const here = sql`workspace_id = ${workspaceId} and generation = ${live}`;
  const selects = partsOf(since, until).flatMap(({ grain, sign, ...span }) =>
    grain === 'EDGE'
      ? [
          sql`select ${keyOf[group]}, ${columnsAs('attempt', sign)} from outreach_attempt
            where ${here} and ${within('at', span)}`,
          sql`select ${keyOf[group]}, ${columnsAs('task', sign)} from outreach_task
            where ${here} and due and ${within('at', span)}`,
        ]
      : sql`select key, ${columnsAs('counted', sign)} from outreach_count
          where ${here} and grouped_by = ${group} and grain = ${grain} and ${within('begun_at', span)}`,
  );
  if (selects.length === 0) return [];
  const order = isOrdered(group)
    ? sql`key collate "C"`
    : sql`sum(attempts) desc, sum(due) desc, key collate "C"`;
  return reader.query<OutreachStats>(sql`
    select key, ${sums} from (${sql.join(selects, sql` union all `)}) as part(key, ${quoted})
    where key is not null group by key having sum(attempts) <> 0 or sum(due) <> 0 order by ${order} limit ${keysLimit}`);
}

const within = (column: string, { from, until }: Pick<Part, 'from' | 'until'>) =>
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
