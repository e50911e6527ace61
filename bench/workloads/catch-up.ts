import { setTimeout as sleep } from 'node:timers/promises';
import { contender } from '../rig/contenders.ts';
import { productVersion } from '../rig/library.ts';
import { addPeople } from '../rig/people.ts';
import { furnish, key, startProduct } from '../rig/product.ts';
import { rowsOf, type Stage } from '../rig/stage.ts';
import { product, type Workload } from '../rig/workload.ts';

/** How many events behind a watcher is, and how many patients they are of. */
const all = 100_000;
const patients = 1_000;

const cursor = ['floor: the same rows by a cursor'];

/** A watcher that resumes far behind. */
export const catchUp: Workload = {
  name: 'catch-up',
  about: 'worldEvents resumed 100,000 events behind; until the last one has come, in order and none missing',
  warmsUp: true,
  measures: [
    {
      name: 'rate',
      unit: 'events/s',
      better: 'more',
      against: cursor,
      atLeast: { times: 0.3, of: cursor },
      aim: { times: 0.6, of: cursor },
    },
  ],
  open: async (stage) => {
    const count = stage.sized(all);
    const databaseUrl = await stage.database('catch_up');
    const started = await startProduct(stage, { databaseUrl, carrierUrl: 'http://127.0.0.1:9' });
    const workspaceId = await furnish(started);
    await addPeople(databaseUrl, workspaceId, 1, patients);
    await addEvents(databaseUrl, workspaceId, count);
    await untilPlaced(stage, databaseUrl, count);
    const client = stage.host('clients/sockets.ts');
    const url = `${started.url.replace('http', 'ws')}/graphql`;
    return [
      {
        ...(await contender(stage, { name: cursor[0]!, file: 'floors/catch-up.ts' }, async (host) => ({
          rate: await host.call<number>('read', databaseUrl, count),
        }))),
      },
      {
        who: product,
        version: productVersion(),
        turn: async () => ({
          rate: await client.call<number>('catchUp', { url, authorization: `Bearer ${key}` }, count),
        }),
      },
    ];
  },
};

/** Events of patients, waiting for their places in the log as those do that the product itself appends. */
async function addEvents(databaseUrl: string, workspaceId: string, count: number): Promise<void> {
  await rowsOf(
    databaseUrl,
    `with added as (
      insert into event (workspace_id, id, entity_type, entity_id, version, type, data, data_hash, patient_id, source, source_system,
        actor, confidence, effective_at, recorded_at)
      select '${workspaceId}', md5('event ' || n)::uuid, 'PATIENT', patient, 2 + n / ${patients}, 'ext.measured',
        jsonb_build_object('value', n % 200, 'unit', 'mmHg', 'device', 'cuff 7', 'note', 'at rest'), md5('event ' || n), patient,
        'import', 'ehr', 'bench', 1, now(), now()
      from generate_series(0, ${count - 1}) n, lateral (select md5('patient ' || (1 + n % ${patients}))::uuid as patient) p
      returning workspace_id, position)
    insert into outbox (workspace_id, position) select workspace_id, position from added`,
  );
}

/** Waits until the product has given each its place, and the stream has them. */
async function untilPlaced(stage: Stage, databaseUrl: string, count: number): Promise<void> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const [found] = await rowsOf<{ placed: number }>(
      databaseUrl,
      'select coalesce(max(global_seq), 0)::int as placed from event_log',
    );
    if (found!.placed >= count) return;
    await sleep(250);
  }
  stage.say('  the log was not filled in five minutes');
  throw new Error('the log was not filled');
}
