import type { Context } from '../context.ts';
import type { Row, Table } from '../domain/event.ts';
import { failure } from './builder.ts';
import { isId } from './input.ts';

/** Every change of one row, first the state it is in now. Throws NOT_FOUND when there is none in this workspace. */
export async function watched<R extends Row>(
  { live, world, workspaceId }: Pick<Context, 'live' | 'world' | 'workspaceId'>,
  table: Table,
  { id: given, noun }: { id: string; noun: string },
): Promise<AsyncIterableIterator<R>> {
  const id = given.toLowerCase(); // as events have it
  const where = { workspaceId: { eq: workspaceId }, id: { eq: id } };
  const updates = isId(id) && (await live.watchRow(workspaceId, id, () => world.findOne<R>(table, where)));
  if (!updates) throw failure('NOT_FOUND', `There is no such ${noun} in this workspace.`);
  return updates;
}
