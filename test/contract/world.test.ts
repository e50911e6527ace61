import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import * as patients from '../../src/domain/patient.ts';
import { foldOf, type Event } from '../../src/domain/event.ts';
import type { World } from '../../src/world.ts';
import { withWorld } from '../support/database.ts';

const now = new Date('2026-03-02T15:00:00Z');
const workspaceId = newId(now);
const by = { workspaceId, actor: 'test', source: 'api' as const, now };
const named = (name: string) => (patient: patients.Patient) =>
  patients.state(patient, { attributes: { name }, source: 'ehr' });

test('the declared tables and the migrated database are the same', () =>
  withWorld(async (world) => {
    expect((await world.orm.schema.getUpdateSchemaSQL({ wrap: false })).trim()).toBe('');
  }));

test('writers that race for one entity all get through, with versions without gaps, and the row is their fold', () =>
  withWorld(async (world) => {
    const id = newId(now);
    await world.change(patients, id, named('Ada'), by);
    const racers = Array.from({ length: 6 }, (_, i) => world.change(patients, id, named(`Ada ${i}`), by));
    await Promise.all(racers);
    const history = await world.history(workspaceId, id);
    expect(history.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const [row] = await world.find<patients.Patient>(patients.table, { id: { eq: id } });
    expect(foldOf(patients, id, workspaceId, history as Event<patients.Fact>[])).toEqual(row);
  }));

test('a row that an older fold made is folded anew and written whole with its next event', () =>
  withWorld(async (world) => {
    const id = newId(now);
    await world.change(patients, id, named('Ada'), by);
    await world.query(
      sql`update patient set fold_version = 0, language = 'xx', search_terms = '{}' where id = ${id}`,
    );
    await world.change(patients, id, named('Ada Lovelace'), by);
    const history = await world.history(workspaceId, id);
    const row = await world.findOne<patients.Patient>(patients.table, { id: { eq: id } });
    expect(row).toEqual(foldOf(patients, id, workspaceId, history as Event<patients.Fact>[]));
  }));

test('changes that come together are written together, and who is overtaken among them stands in nobody’s way', () =>
  withWorld(async (world) => {
    const ids = Array.from({ length: 50 }, () => newId(now));
    const first = await world.change(patients, ids[0]!, named('Ada'), by);
    await world.change(patients, ids[0]!, named('Ada L'), by); // so that what is known of her is old
    const before = await transactions(world);
    await Promise.all([
      ...ids
        .slice(1)
        .map((id) => world.change(patients, patients.blank(id, workspaceId), named(`Person ${id}`), by)),
      world.change(patients, first.row, named('Ada Lovelace'), by),
    ]);
    expect((await transactions(world)) - before).toBeLessThan(25);
    const rows = await world.find<patients.Patient>(patients.table, { id: { in: ids } });
    expect(rows).toHaveLength(50);
    for (const row of rows) {
      const history = (await world.history(workspaceId, row.id)) as Event<patients.Fact>[];
      expect(row).toEqual(foldOf(patients, row.id, workspaceId, history));
    }
    expect(rows.find(({ id }) => id === ids[0])).toMatchObject({ name: 'Ada Lovelace', version: 3 });
  }));

/** How many transactions have written so far. */
async function transactions(world: World): Promise<number> {
  const [state] = await world.query<{ count: number }>(
    sql`select count(distinct xmin::text)::int as count from event`,
  );
  return state!.count;
}
