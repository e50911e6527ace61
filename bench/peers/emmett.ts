/** emmett-postgresql: an event store of TypeScript's own, called as its guide does. https://event-driven-io.github.io/emmett */
import { library } from '../rig/library.ts';
import { rowsOf } from '../rig/stage.ts';
import { aFact, inFlight, streamOf, type Appends } from './appends.ts';

interface Store {
  appendToStream(name: string, events: { type: string; data: object }[]): Promise<unknown>;
  schema: { migrate(): Promise<unknown> };
}
interface Emmett {
  getPostgreSQLEventStore(connectionString: string): Store;
}

const { getPostgreSQLEventStore } = await library<Emmett>('@event-driven-io/emmett-postgresql');
let store: Store;
let url = '';

/** Makes its tables. */
export async function open(databaseUrl: string): Promise<void> {
  url = databaseUrl;
  store = getPostgreSQLEventStore(databaseUrl);
  await store.schema.migrate();
}

/** Appends, each acknowledged after its commit; answers how many a second. */
export async function append(wanted: Appends): Promise<number> {
  const rate = await inFlight(wanted, async (n) => {
    await store.appendToStream(streamOf(wanted, n), [{ type: 'ext.measured', data: aFact }]);
  });
  const [found] = await rowsOf<{ count: number; gaps: number }>(
    url,
    `select sum(count)::int as count, count(*) filter (where count <> last)::int as gaps from (
      select count(*) as count, max(stream_position) as last from emt_messages where stream_id like $1 || ' %'
      group by stream_id) s`,
    [wanted.run],
  );
  if (found?.count !== wanted.count || found.gaps > 0)
    throw new Error(`appends were lost: ${JSON.stringify(found)}`);
  return rate;
}
