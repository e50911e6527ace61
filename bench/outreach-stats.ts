/**
 * How fast `outreachStats` answers over a million events, and how fast the projection reads them.
 *
 *   npm run bench -- outreach-stats [EVENTS]    1,000,000 by default; DATABASE_URL, else a Postgres of its own
 *
 * Calls of one workspace over a year, two for each task, twelve events together: three services, 50 campaigns, 200 tags (up
 * to two a call), 20,000 patients. The log is written with plain inserts, then read as the program reads it.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groups } from '../src/domain/outreach-count.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import { outreach } from '../src/outreach.ts';
import { openOutreach } from '../src/outreach/read.ts';
import { rebuild } from '../src/projection.ts';
import { openWorld, type World } from '../src/world.ts';
import { rowsOf } from './rig/stage.ts';

const workspaceId = '00000000-0000-7000-8000-00000000aaaa';
const callsOf = (events: number) => Math.floor(events / 6);
const say = (line: string) => process.stdout.write(`${line}\n`);
const day = 86_400_000;
const begin = Date.parse('2025-01-01T00:00:00Z');

/** A uuid made of a number, and what kind of thing has it. */
const id = (kind: number, number: string) =>
  `(lpad('${kind}', 8, '0') || '-0000-7000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`;

/** Writes calls from one number to another: 45 in 100 are answered, as the simulated people do it. */
async function write(from: number, to: number, all: number): Promise<void> {
  const spread = (365 * 86_400) / all;
  await rowsOf(
    url,
    `
    with call as (
      select n, ${id(1, 'n')} as entity, ${id(2, '(n::int8 * 7919) % 20000')} as patient, hashint4(n) as h,
        timestamptz '2025-01-01' + n * ${spread}::float8 * interval '1 second' as at
      from generate_series(${from}, ${to}) n),
    told as (
      select call.*, version, case version when 0 then 'outbound.scheduled' when 6 then 'outbound.completed'
        when 1 then 'outbound.initiated' when 2 then 'call.accepted' when 3 then 'call.ringing'
        when 4 then case when abs(h) % 100 < 60 then 'call.answered' else 'call.context_ready' end
        else case when abs(h) % 100 < 60 then 'call.completed' when abs(h) % 100 < 85 then 'call.no_answer'
          when abs(h) % 100 < 95 then 'call.busy' else 'call.failed' end end as type
      from call, generate_series(0, 6) version
      where version between 1 and 5 or n % 2 = case version when 0 then 0 else 1 end),
    added as (
      insert into event (workspace_id, id, entity_type, entity_id, version, type, data, data_hash, patient_id, source, actor,
        confidence, effective_at, recorded_at)
      select '${workspaceId}'::uuid, ${id(3, 'n::int8 * 8 + version')}, 'CALL',
        case when version in (0, 6) then ${id(6, 'n / 2')} else entity end,
        case version when 0 then 1 when 6 then 2 else version end, type,
        case when version in (0, 1) then jsonb_build_object(
          'taskId', ${id(6, 'n / 2')}, 'channel', 'VOICE', 'scheduledFor', at, 'origin', (array['API', 'TASK', 'CAMPAIGN'])[1 + abs(h) % 3],
          'purpose', (array['BILLING', 'SCHEDULING', 'OTHER'])[1 + abs(h / 7) % 3],
          'campaignId', ${id(4, 'abs(h) % 50')}, 'serviceId', ${id(5, 'abs(h) % 3')},
          'tags', jsonb_build_array('tag ' || abs(h) % 200, 'tag ' || abs(h / 13) % 200),
          'decision', jsonb_build_object('localTime', to_char(at at time zone 'America/New_York', 'YYYY-MM-DD"T"HH24:MI:SS'),
            'timeZone', 'America/New_York'))
        when version = 5 then jsonb_build_object('durationSeconds', 30, 'answeredBy', case when abs(h) % 100 < 45 then 'HUMAN' else 'MACHINE' end)
        else '{}' end,
        '', patient, 'job', 'bench', 1, at + version * interval '5 seconds', at
      from told order by n, version returning position)
    insert into event_log (global_seq, workspace_id, position, hash)
    select (select coalesce(max(global_seq), 0) from event_log) + row_number() over (order by position), '${workspaceId}'::uuid, position, ''
    from added`,
  );
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const began = performance.now();
  const result = await work();
  return { result, ms: performance.now() - began };
}

/** How much was counted, and how it was. */
async function sizes(): Promise<string> {
  const [rows] = await rowsOf<{ attempts: number; tasks: number; counts: number }>(
    url,
    `select (select count(*)::int from outreach_attempt) as attempts,
      (select count(*)::int from outreach_task) as tasks, (select count(*)::int from outreach_count) as counts`,
  );
  return `${rows!.attempts} attempts at ${rows!.tasks} tasks, ${rows!.counts} counts`;
}

async function measure(world: World, events: number): Promise<void> {
  const calls = callsOf(events);
  for (let from = 0; from < calls; from += 10_000)
    await write(from, Math.min(calls, from + 10_000) - 1, calls);
  await rowsOf(url, 'analyze');
  const { ms } = await timed(() => rebuild(world, outreach));
  say(`${calls * 6} events read in ${(ms / 1000).toFixed(1)} s, ${Math.round((calls * 6000) / ms)} a second`);
  say(await sizes());
  await rowsOf(url, 'analyze');
  const { statsOf, engagementsOf } = openOutreach({ world });
  const spans = {
    'the year': [begin, begin + 366 * day],
    'a year to the millisecond': [begin + 1_234_567, begin + 365 * day - 7_654_321],
    'thirty days': [begin + 100 * day + 4_321, begin + 130 * day + 9_876],
  } as const;
  say('outreachStats, milliseconds, median and slowest of 15:');
  for (const [name, [since, until]] of Object.entries(spans))
    for (const group of groups) {
      const times: number[] = [];
      let keys = 0;
      for (let run = 0; run < 15; run += 1) {
        const asked = { workspaceId, since: new Date(since), until: new Date(until), group };
        const { result, ms: took } = await timed(() => statsOf(asked));
        keys = result.length;
        times.push(took);
      }
      times.sort((a, b) => a - b);
      say(`  ${name}, by ${group}: ${times[7]!.toFixed(1)}, ${times.at(-1)!.toFixed(1)} (${keys} keys)`);
    }
  const patients = await rowsOf<{ id: string }>(
    url,
    'select distinct patient_id as id from outreach_attempt limit 100',
  );
  const ids = patients.map(({ id }) => id);
  await engagementsOf(workspaceId, ids);
  const page = await timed(() => engagementsOf(workspaceId, ids));
  say(`engagement of ${page.result.size} patients: ${page.ms.toFixed(1)} ms`);
}

const dataDir = mkdtempSync(join(tmpdir(), 'callwell-bench-'));
const own = process.env['DATABASE_URL'] ? null : await startPostgres({ dataDir, log: () => {} });
const url = own?.url ?? process.env['DATABASE_URL']!;
const world = await openWorld({ databaseUrl: url });
try {
  await world.migrate();
  await measure(world, Number(process.argv[2] ?? 1_000_000));
} finally {
  await world.close();
  const place = own ? realpathSync(join(dataDir, 'postgres')) : dataDir; // of root's it is elsewhere
  await own?.stop();
  rmSync(place, { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
}
