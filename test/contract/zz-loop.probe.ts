import { test } from 'vitest';
import { sql } from 'kysely';
import { withApp, testKey } from '../support/program.ts';
const json = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' };
test('x', async () => {
  for (let i = 0; i < 60; i++) {
    let stage = 'starting'; const t0 = performance.now();
    const dog = setTimeout(() => console.log('HANG', i, stage), 8000);
    await withApp(async (broken) => {
      stage = 'drop';
      await broken.world.query(sql`drop table patient cascade`);
      stage = 'fetch';
      const response = await fetch(`${broken.url}/graphql`, { method: 'POST', headers: json, body: JSON.stringify({ query: '{ patients { edges { node { id } } } workspace { name } }' }) });
      await response.text();
      stage = 'ask';
      await broken.ask('{ workspace { name } }');
      stage = 'stopping';
    });
    clearTimeout(dog);
    const ms = performance.now() - t0;
    if (ms > 2500) console.log('slow', i, ms);
  }
}, 300_000);
