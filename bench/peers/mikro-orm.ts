/** MikroORM, as its documentation writes entities: two are created in a fork, and flushed in one transaction. */
import { rowsOf } from '../rig/stage.ts';
import { library } from '../rig/library.ts';
import { tables, told, type Mutations } from './mutations.ts';

interface Manager {
  create(entity: unknown, data: object): unknown;
  flush(): Promise<void>;
}
interface Orm {
  em: { fork(): Manager };
}
interface Property {
  primary(): Property;
}
interface MikroOrm {
  MikroORM: { init(options: object): Promise<Orm> };
  defineEntity(options: object): unknown;
  p: Record<'uuid' | 'text' | 'integer' | 'datetime' | 'json', () => Property>;
}

const { MikroORM, defineEntity, p } = await library<MikroOrm>('@mikro-orm/postgresql');
const task = defineEntity({
  name: 'Task',
  tableName: 'task',
  properties: {
    id: p.uuid().primary(),
    patientId: p.integer(),
    status: p.text(),
    reason: p.text(),
    scheduledFor: p.datetime(),
    version: p.integer(),
  },
});
const event = defineEntity({
  name: 'Event',
  tableName: 'event',
  properties: {
    id: p.uuid().primary(),
    entityId: p.uuid(),
    version: p.integer(),
    type: p.text(),
    data: p.json(),
    recordedAt: p.datetime(),
  },
});
let url = '';
let orm: Orm;

/** Makes the tables. */
export async function open(databaseUrl: string): Promise<void> {
  url = databaseUrl;
  await rowsOf(url, tables);
  orm = await MikroORM.init({ clientUrl: url, entities: [task, event], debug: false });
}

/** Tasks with their events, one after another; answers how many a second. */
export const mutate = (wanted: Mutations): Promise<number> =>
  told(url, wanted, async (row) => {
    const em = orm.em.fork();
    em.create(task, row.task);
    em.create(event, row.event);
    await em.flush();
  });
