import DataLoader from 'dataloader';
import type { Row, Table } from '../domain/event.ts';
import type { openReads } from './read.ts';

/** Which row. */
interface Key {
  workspaceId: string;
  id: string;
}

/** How many rows are read at once. */
const batch = 100;

/** Reads rows as they are now; those that are asked for at the same moment with one statement. Null: there is none. */
export function openLoads(reads: ReturnType<typeof openReads>) {
  const loaders = new Map<Table, DataLoader<Key, Row | null>>();

  const loaderOf = (table: Table) => {
    const known = loaders.get(table);
    if (known) return known;
    const read = async (keys: readonly Key[]) => {
      const rows = await reads.find<Row>(table, {
        workspaceId: { in: [...new Set(keys.map(({ workspaceId }) => workspaceId))] },
        id: { in: keys.map(({ id }) => id) },
      });
      const found = new Map(rows.map((row) => [`${row.workspaceId} ${row.id}`, row]));
      return keys.map(({ workspaceId, id }) => found.get(`${workspaceId} ${id}`) ?? null);
    };
    const loader = new DataLoader(read, { cache: false, maxBatchSize: batch });
    loaders.set(table, loader);
    return loader;
  };

  return async <R extends Row>(table: Table, key: Key): Promise<R | null> =>
    (await loaderOf(table).load(key)) as R | null;
}
