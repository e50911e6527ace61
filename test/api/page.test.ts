/** What the arguments of lists may be: cursors that somebody has made up, and instants that are none. */
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { addPatient, placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { created, flu, run } from './campaigns.ts';
import { scheduled, unlimited } from './tasks.ts';

const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';
const codes = ({ errors }: Answer) => errors?.map(({ extensions }) => extensions?.['code']);
const cursorOf = (values: unknown) => Buffer.from(JSON.stringify(values)).toString('base64url');

/** Every list, each with a page in the place of its arguments; two things in each. */
async function listsOf(app: App): Promise<((page: string) => string)[]> {
  await setUp(app);
  const campaignId = await created(app, { audience: { tags: ['nobody'] } });
  await created(app, { ...flu, name: 'Other' });
  const patientId = await addPatient(app, '+12125550101');
  await addPatient(app, '+12125550100');
  for (const reason of ['One', 'Two'])
    await scheduled(app, { patientId, reason, scheduledFor: '2026-03-05T15:00:00Z' });
  const { run: first } = await run(app, campaignId, { callList: ['+12125550101'] });
  await run(app, campaignId);
  await app.ask(placeCall, { input: { patientId, phoneFrom: '+14155550199', reason: 'x' } });
  const patient = (field: string) => `patient(id: "${patientId}") { ${field} { edges { cursor } } }`;
  return [
    (page) => `patients(${page}) { edges { cursor } }`,
    (page) => `calls(${page}) { edges { cursor } }`,
    (page) => `outboundTasks(${page}) { edges { cursor } }`,
    (page) => `campaigns(${page}) { edges { cursor } }`,
    (page) => `events(${page}) { edges { cursor } }`,
    (page) => patient(`timeline(${page})`),
    (page) => patient(`calls(${page})`),
    (page) => patient(`tasks(${page})`),
    (page) => `campaign(id: "${campaignId}") { runs(${page}) { edges { cursor } } }`,
    (page) => `campaignRun(id: "${first.id}") { calls(${page}) { edges { cursor } } }`,
  ];
}

const forged = [
  [],
  [unknownId, unknownId],
  [unknownId, unknownId, unknownId],
  ['nonsense'],
  ['', ''],
  ['1', '1'],
  ['\0'],
  ['-1'],
  ['9'.repeat(30)],
  [`${unknownId}0`],
  ['2026-03-03T19:00:00.000Z', '1.5'],
  ['2026-03-03T19:00:00.000Z', '9'.repeat(30)],
  ['2026-13-03T19:00:00.000Z', '1'],
  ['2026-03-03', '1'],
  ['now', '1'],
  [1],
  [null],
  [[unknownId]],
  {},
  null,
  'text',
  unknownId,
].map(cursorOf);

test('a cursor that no page has returned is refused by every list, forwards and backwards', () =>
  withApp(
    async (app) => {
      for (const list of await listsOf(app)) {
        for (const cursor of [...forged, '', 'nonsense', '\\u0000']) {
          for (const page of [`first: 2, after: "${cursor}"`, `last: 2, before: "${cursor}"`]) {
            const document = `{ ${list(page)} }`;
            expect([document, codes(await app.ask(document))]).toEqual([document, ['INVALID_INPUT']]);
          }
        }
      }
    },
    { ...unlimited, ROLE: 'api' },
  ));

test('a cursor that a page has returned is taken by its list, forwards and backwards', () =>
  withApp(
    async (app) => {
      for (const list of await listsOf(app)) {
        const read = async (page: string) => {
          const { data, errors } = await app.ask(`{ ${list(page)} }`);
          expect([list(page), errors]).toEqual([list(page), undefined]);
          let found = Object.values(data as object)[0];
          while (!('edges' in found)) [found] = Object.values(found);
          return (found.edges as { cursor: string }[]).map(({ cursor }) => cursor);
        };
        const all = await read('first: 200');
        for (const cursor of all) {
          const place = all.indexOf(cursor);
          expect(await read(`first: 200, after: "${cursor}"`)).toEqual(all.slice(place + 1));
          expect(await read(`last: 200, before: "${cursor}"`)).toEqual(all.slice(0, place));
        }
      }
    },
    { ...unlimited, ROLE: 'api' },
  ));

test('an instant that is none is refused wherever it narrows a list', () =>
  withApp(async (app) => {
    const id = await addPatient(app, '+12125550100');
    for (const instant of ['tomorrow', '', '2026-02-30T00:00:00Z', '2026-03-03']) {
      for (const list of [
        `calls(filter: { since: "${instant}" }) { edges { cursor } }`,
        `calls(filter: { until: "${instant}" }) { edges { cursor } }`,
        `outboundTasks(filter: { dueBefore: "${instant}" }) { edges { cursor } }`,
        `events(since: "${instant}") { edges { cursor } }`,
        `patient(id: "${id}") { timeline(since: "${instant}") { edges { cursor } } }`,
        `patient(id: "${id}") { timeline(until: "${instant}") { edges { cursor } } }`,
      ])
        expect([list, codes(await app.ask(`{ ${list} }`))]).toEqual([list, ['INVALID_INPUT']]);
    }
  }, unlimited));

test('a text that Postgres cannot hold finds nothing or is refused, and breaks nothing', () =>
  withApp(async (app) => {
    const id = await addPatient(app, '+12125550100');
    const text = '\\u0000';
    for (const list of [
      `calls(filter: { tag: "${text}" }) { edges { cursor } }`,
      `calls(filter: { metadata: { key: "${text}" } }) { edges { cursor } }`,
      `patients(search: "${text}") { edges { cursor } }`,
      `events(types: ["${text}"]) { edges { cursor } }`,
      `events(entityId: "${text}") { edges { cursor } }`,
      `patient(id: "${id}") { timeline(types: ["${text}"]) { edges { cursor } } }`,
      `call(sid: "${text}") { id }`,
      `patient(canonicalId: "${text}") { id }`,
    ])
      expect([
        [list, undefined],
        [list, ['INVALID_INPUT']],
      ]).toContainEqual([list, codes(await app.ask(`{ ${list} }`))]);
  }, unlimited));

test('lists within a list take as many statements for thirty patients as for one, and each has its own page', () =>
  withApp(async (app) => {
    await setUp(app);
    for (let index = 0; index < 30; index += 1) {
      const patientId = await addPatient(app, `+1212555${String(2000 + index)}`);
      for (const reason of ['One', 'Two', 'Three'])
        await scheduled(app, {
          patientId,
          reason: `${reason} ${index}`,
          scheduledFor: '2026-03-05T15:00:00Z',
        });
    }
    const statements = vi.spyOn(pg.Client.prototype, 'query');
    const ask = async (first: number) => {
      statements.mockClear();
      const { data } = await app.ask(`{ patients(first: ${first}) { edges { node { phone
        timeline(first: 2) { edges { node { type patient { phone } } } }
        tasks(first: 2) { totalCount edges { node { reason } } pageInfo { hasNextPage } }
        calls(first: 1) { edges { cursor } } } } } }`);
      return { count: statements.mock.calls.length, people: data.patients.edges };
    };
    await ask(1);
    const [one, all] = [await ask(1), await ask(30)];
    expect(all.people).toHaveLength(30);
    statements.mockRestore();
    expect(all.count).toBeLessThanOrEqual(one.count + 10); // jobs look around meanwhile
    for (const { node } of all.people) {
      const index = Number(node.phone.slice(-4)) - 2000;
      expect(node.tasks).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
      expect(node.tasks.edges.map((edge: { node: { reason: string } }) => edge.node.reason)).toEqual([
        `Three ${index}`,
        `Two ${index}`,
      ]);
      expect(node.timeline.edges).toHaveLength(2);
      for (const event of node.timeline.edges) expect(event.node.patient.phone).toBe(node.phone);
    }
  }));
