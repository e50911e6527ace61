/** The product's write path by itself, in a process of its own: the world model on a migrated database. */
import { createHash } from 'node:crypto';
import * as patients from '../../src/domain/patient.ts';
import { schedule } from '../../src/domain/task-progress.ts';
import * as tasks from '../../src/domain/task.ts';
import { newId } from '../../src/clock.ts';
import { openWorld, type World } from '../../src/world.ts';
import { aFact, inFlight, streamOf, type Appends } from '../peers/appends.ts';
import type { Mutations } from '../peers/mutations.ts';
import { ourPhone } from './product.ts';
import { rowsOf } from './stage.ts';

let world: World;
let url = '';
const workspaceId = '00000000-0000-7000-8000-00000000aaaa';

/** Makes its tables. */
export async function open(databaseUrl: string): Promise<void> {
  url = databaseUrl;
  world = await openWorld({ databaseUrl });
  await world.migrate();
}

/** Appends by `world.change`: read, decide, then row, event and outbox in one commit; answers how many a second. */
export async function append(wanted: Appends): Promise<number> {
  const rate = await inFlight(wanted, async (n) => {
    const by = {
      workspaceId,
      actor: 'bench',
      source: 'api' as const,
      now: new Date(),
      sourceSystem: wanted.run,
    };
    await world.change(
      patients,
      idOf(streamOf(wanted, n)),
      () => [{ type: 'ext.measured' as const, data: aFact }],
      by,
    );
  });
  const [found] = await rowsOf<{ count: number; gaps: number; rows: number }>(
    url,
    `select sum(s.count)::int as count, count(*) filter (where s.count <> last or p.version <> last)::int as gaps, count(p.id)::int as rows
      from (select entity_id, count(*) as count, max(version) as last from event where source_system = $1 group by entity_id) s
      left join patient p on p.workspace_id = $2 and p.id = s.entity_id`,
    [wanted.run, workspaceId],
  );
  const streams = wanted.streams || wanted.count;
  if (found?.count !== wanted.count || found.gaps > 0 || found.rows !== streams) {
    throw new Error(`appends were lost: ${JSON.stringify(found)}`);
  }
  return rate;
}

/** A task and the event that scheduled it, one after another by `world.change`; answers how many a second. */
export async function mutate({ count }: Mutations): Promise<number> {
  const before = await pairs();
  const begun = performance.now();
  for (let n = 0; n < count; n += 1) {
    const now = new Date();
    const by = { workspaceId, actor: 'bench', source: 'api' as const, now };
    await world.change(tasks, newId(now), (task) => schedule(task, wantedBy(n, now)), by);
  }
  const rate = (count * 1_000) / (performance.now() - begun);
  const written = (await pairs()) - before;
  if (written !== count) throw new Error(`${written} of ${count} tasks have their event`);
  return rate;
}

const wantedBy = (n: number, at: Date) => ({
  patientId: idOf(`patient ${(n * 997) % 50_000}`),
  phone: '+12122000001',
  isPhoneNamed: false,
  phoneFrom: ourPhone,
  channel: 'VOICE' as const,
  isChannelNamed: true,
  reason: 'Check-up',
  goal: null,
  purpose: 'WELLNESS_CHECKUP' as const,
  priority: 5,
  scheduledFor: at.toISOString(),
  window: null,
  validUntil: null,
  maxAttempts: 3,
  backoffSeconds: 3_600,
  serviceId: null,
  campaignId: null,
  triggerId: null,
  origin: 'TASK' as const,
  tags: [],
  metadata: {},
  cancelOn: [],
  requestedBy: 'bench',
});

async function pairs(): Promise<number> {
  const [found] = await rowsOf<{ count: number }>(
    url,
    'select count(*)::int as count from outbound_task t join event e on e.entity_id = t.id and e.version = t.version',
  );
  return found!.count;
}

const idOf = (stream: string): string =>
  createHash('md5')
    .update(stream)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
