/** The product's write path by itself, in a process of its own: the world model on a migrated database. */
import { createHash } from 'node:crypto';
import * as patients from '../../src/domain/patient.ts';
import { openWorld, type World } from '../../src/world.ts';
import { aFact, inFlight, streamOf, type Appends } from '../peers/appends.ts';
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

const idOf = (stream: string): string =>
  createHash('md5')
    .update(stream)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
