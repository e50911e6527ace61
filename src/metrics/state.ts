import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { Live } from '../live.ts';
import type { World } from '../world.ts';

/** How a figure comes out of Postgres: a number, or one for each value of its label. */
type Figures = Record<string, number | Record<string, number>>;

/** A gauge: what it is called, what it says, and its label where it has one. */
const gauges: Record<string, { help: string; label?: string }> = {
  log_events: { help: 'Events in the log' },
  live_lag_seconds: {
    help: 'How old the first event is that this process should have heard of, and has not',
  },
  outbox_events: { help: 'Events that have no place in the log yet' },
  outbox_oldest_seconds: { help: 'For how long the oldest of them has waited' },
  follower_lag_events: { help: 'How far each follower is behind the log', label: 'follower' },
  due_tasks: { help: 'Tasks that are due and wait, up to 10,000 a workspace', label: 'queue' },
  due_tasks_oldest_seconds: { help: 'For how long the first of them has been due', label: 'queue' },
  expired_leases: { help: 'What somebody has begun and not finished in time', label: 'of' },
  calls: { help: 'Calls that are not over', label: 'status' },
  uncertain_attempts: { help: 'Attempts of which nobody knows whether they were made', label: 'channel' },
  uncertain_oldest_seconds: { help: 'For how long nobody has known it of the oldest call' },
  endless_calls: { help: 'Calls that should have ended by now' },
  deliveries: { help: 'What is posted to other systems: waiting, and given up', label: 'status' },
  delivery_oldest_seconds: { help: 'For how long the oldest due delivery has waited' },
  failing_receivers: { help: 'Other systems that did not take the last delivery' },
  trigger_runs: { help: 'Runs of triggers: waiting, and given up', label: 'status' },
  campaign_runs: { help: 'Runs of campaigns that are not over', label: 'status' },
};

/** How long a call may ring, talk and be asked about before something is wrong, in seconds. */
const endlessSeconds = { ringing: 600, talking: 5 * 3600 };

/** For how long what was read is told again, in milliseconds: several who scrape at once ask Postgres once. */
const freshMs = 1_000;

/** Gauges of what is in Postgres, read when they are asked for: by whichever process, they are the same. */
export function watchState(
  registry: Registry,
  { world, clock, live }: { world: World; clock: Clock; live: Live },
) {
  const made = Object.entries(gauges).map(([name, { help, label }]) => {
    const labelNames = label ? [label] : [];
    return [
      name,
      label,
      new Gauge({ name: `callwell_${name}`, help, labelNames, registers: [registry] }),
    ] as const;
  });
  const readable = new Gauge({
    name: 'callwell_state_readable',
    help: 'Whether Postgres answered when these figures were read',
    registers: [registry],
  });
  let readAt = -Infinity;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    const figures = await figuresOf(world, clock.now(), live.cursor()).catch(() => null);
    readable.set(figures ? 1 : 0);
    for (const [name, label, gauge] of made) {
      const figure = figures?.[name];
      gauge.reset(); // what is not known any more is not told
      if (typeof figure === 'number') gauge.set(figure);
      else if (figure && label)
        for (const [value, number] of Object.entries(figure)) gauge.set({ [label]: value }, number);
    }
    readAt = performance.now();
  }

  return async (): Promise<void> => {
    if (performance.now() - readAt < freshMs) return;
    reading ??= read().finally(() => {
      reading = null;
    });
    await reading;
  };
}

/** All figures in one statement: each steps through an index, however much else there is. */
async function figuresOf(world: World, now: Date, heard: number): Promise<Figures> {
  const since = (at: string) =>
    sql`coalesce(greatest(0, extract(epoch from ${now}::timestamptz - ${sql.raw(at)})), 0)::float8`;
  const [row] = await world.query<{ figures: Figures }>(sql`
    with log as (select coalesce(max(global_seq), 0)::float8 as "end" from event_log),
      due as (select case when t.campaign_id is null then 'task' else 'campaign' end as queue, count(*) as tasks,
          min(t.next_attempt_at) as first_at
        from workspace w cross join lateral (select campaign_id, next_attempt_at from outbound_task
          where workspace_id = w.id and next_attempt_at <= ${now} and status in ('SCHEDULED', 'SNOOZED')
          order by next_attempt_at limit 10000) t group by 1),
      open as (select status, count(*) as calls, min(status_at) as since from call
        where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN') group by 1)
    select json_build_object(
      'log_events', (select "end" from log),
      'live_lag_seconds', (select ${since('min(e.recorded_at)')} from event_log l
        join event e on e.workspace_id = l.workspace_id and e.position = l.position where l.global_seq = ${heard + 1}::int8),
      'outbox_events', (select count(*) from outbox),
      'outbox_oldest_seconds', (select ${since('min(e.recorded_at)')} from (select * from outbox order by position limit 1) o
        join event e on e.workspace_id = o.workspace_id and e.position = o.position),
      'follower_lag_events', (select json_object_agg(name, log."end" - cursor) from log, (
        select name, cursor from log_position union all select name, cursor from projection where is_live) f),
      'due_tasks', ${labelled('queue', 'tasks', sql`due`, ['task', 'campaign'])},
      'due_tasks_oldest_seconds', (select json_object_agg(queue, ${since('first_at')}) from due),
      'expired_leases', json_build_object(
        'task', (select count(*) from outbound_task where status in ('DISPATCHED', 'RUNNING') and lease_until < ${now}),
        'trigger_run', (select count(*) from trigger_run where status = 'RUNNING' and lease_until < ${now}),
        'delivery', (select count(*) from delivery where status = 'PENDING' and lease_until < ${now}
          and next_attempt_at <= ${now})),
      'calls', ${labelled('status', 'calls', sql`open`, ['QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN'])},
      'uncertain_attempts', json_build_object(
        'VOICE', (select coalesce(sum(calls), 0) from open where status = 'UNCERTAIN'),
        'VOICEMAIL', (select count(*) from voicemail where status = 'PENDING' and is_uncertain),
        'TEXT', (select count(*) from message where ask_at is not null and sid is null)),
      'uncertain_oldest_seconds', (select ${since('min(since)')} from open where status = 'UNCERTAIN'),
      'endless_calls', (select count(*) from call where
        status in ('QUEUED', 'RINGING', 'UNCERTAIN') and status_at < ${before(now, endlessSeconds.ringing)}
        or status = 'IN_PROGRESS' and status_at < ${before(now, endlessSeconds.talking)}),
      'deliveries', json_build_object('PENDING', (select count(*) from delivery where status = 'PENDING'),
        'DEAD', (select count(*) from delivery where status = 'DEAD')),
      'delivery_oldest_seconds', (select ${since('min(next_attempt_at)')} from delivery where status = 'PENDING'),
      'failing_receivers', (select count(*) from webhook_receiver where failures > 0),
      'trigger_runs', json_build_object('QUEUED', (select count(*) from trigger_run where status = 'QUEUED'),
        'DEAD', (select count(*) from trigger_run where status = 'DEAD')),
      'campaign_runs', (select json_build_object(
        'RUNNING', count(*) filter (where status = 'RUNNING'), 'PAUSED', count(*) filter (where status = 'PAUSED'),
        'STOPPED_BY_BREAKER', count(*) filter (where status = 'STOPPED_BY_BREAKER'))
        from campaign_run where status in ('RUNNING', 'PAUSED', 'STOPPED_BY_BREAKER'))) as figures`);
  return row!.figures;
}

const before = (now: Date, seconds: number) => new Date(now.getTime() - seconds * 1000);

/** A figure for each value of a label, 0 where there is nothing. */
const labelled = (label: string, figure: string, from: ReturnType<typeof sql>, values: string[]) => sql`
  (select json_object_agg(v.value, coalesce(f.${sql.raw(figure)}, 0))
    from unnest(${values}::text[]) v(value) left join ${from} f on f.${sql.raw(label)} = v.value)`;
