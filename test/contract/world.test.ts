import { expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import * as patients from '../../src/domain/patient.ts';
import { foldOf, type Event } from '../../src/domain/event.ts';
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
