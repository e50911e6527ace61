/** A model answers the texts of verified patients; before that, and where it fails, the script does. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { openModel, type Pen, type Thought } from '../support/model.ts';
import { addPatient, withApp, type App } from '../support/program.ts';
import { setUpTexts, start, talk, text } from '../support/texts.ts';

const phone = '+12125550130';
const secret = /biopsy|liver/i;

/** A conversation for the agent, with a patient who has told who they are, and been told the matter by the model. */
async function begin(app: App, part: string) {
  await setUpTexts(app);
  const patientId = await addPatient(app, phone, 'Rosa Diaz');
  await app.ask(
    `mutation { upsertPatient(input: { name: "Rosa Diaz", phone: "${phone}", birthDate: "1980-02-29", sourceSystem: "ehr" }) { __typename } }`,
  );
  const wanted = { patientId, instruction: `Tell her. MODEL:${part}`, reason: 'Biopsy results of the liver' };
  const { talk: begun } = await start(app, wanted);
  const id = begun.id as string;
  await text(app, phone, 'Yes this is Rosa');
  const before = await answers(app, id, 1);
  expect(before.join('\n')).not.toMatch(secret);
  return { patientId, id };
}

/** What was answered after the first message, once it is so much. */
const answers = (app: App, id: string, count: number): Promise<string[]> =>
  eventually(async () => {
    const { texts } = await talk(app, id);
    const said = texts.filter(({ direction }) => direction === 'OUTBOUND').slice(1);
    return said.length >= count ? said.map(({ body }) => body) : null;
  }, 10_000);

/** Plays with a model that does this. */
async function withModel(
  answer: (thought: Thought, pen: Pen) => void | Promise<void>,
  play: (app: App, thoughts: Thought[]) => Promise<void>,
): Promise<void> {
  const model = await openModel(answer);
  try {
    await withApp((app) => play(app, model.thoughts), { AGENT_URL: model.url, AGENT_API_KEY: 'key' });
  } finally {
    await model.close();
  }
}

test('it answers who is verified, with the context and all that was written, and nobody before', () =>
  withModel(
    (_thought, pen) => {
      pen.say('Your biopsy ', 'was fine.');
      pen.done();
    },
    async (app, thoughts) => {
      const { id } = await begin(app, 'tells');
      expect(thoughts).toEqual([]);
      await text(app, phone, '02/29/1980');
      expect((await answers(app, id, 2)).at(-1)).toBe('Your biopsy was fine.');
      await text(app, phone, 'Yes, thanks');
      await answers(app, id, 3);
      await text(app, phone, 'And when can I come?');
      expect(await answers(app, id, 4)).toHaveLength(4);
      expect(thoughts).toHaveLength(3);
      expect(thoughts[0]!.system).toMatch(/You write text messages/);
      expect(thoughts[0]!.system).toMatch(/Rosa Diaz, born 1980-02-29/);
      expect(thoughts[2]!.messages.map(({ role }) => role)).toEqual(
        ['assistant', ...Array.from({ length: 3 }, () => ['user', 'assistant']).flat(), 'user'].flat(),
      );
      expect(thoughts[2]!.tools).toEqual(['schedule_callback', 'confirm_appointment']);
    },
  ));

test.each(['late', 'down', 'endless', 'silent'])('where it is %s the script answers', (part) =>
  withModel(
    async (_thought, pen) => {
      if (part === 'late') await pause(3_000, undefined, { ref: false });
      if (part === 'down') return void pen.response.writeHead(503).end('{}');
      if (part === 'endless') pen.say('and so on '.repeat(200));
      pen.done();
    },
    async (app, thoughts) => {
      const { id } = await begin(app, part);
      await text(app, phone, '02/29/1980');
      expect((await answers(app, id, 2)).at(-1)).toMatch(
        /I am calling about this: Biopsy results of the liver/,
      );
      expect(thoughts).toHaveLength(1);
    },
  ),
);

test('only whole sentences that fit are sent', () =>
  withModel(
    (_thought, pen) => {
      pen.say('All is well. ', `${'Really '.repeat(30)}well. `, `${'Quite '.repeat(30)}well.`);
      pen.done();
    },
    async (app) => {
      const { id } = await begin(app, 'talks');
      await text(app, phone, '02/29/1980');
      expect((await answers(app, id, 2)).at(-1)).toBe(`All is well. ${'Really '.repeat(30)}well.`);
    },
  ));

test('it schedules the call that was asked for, and may not decide who has opted out', () =>
  withModel(
    ({ messages, before }, pen) => {
      const told = messages.filter(({ role }) => role === 'tool').map(({ content }) => content);
      if (before === 0) pen.call('schedule_callback', { at: '2026-03-05T10:00:00-05:00' });
      else if (before === 1) pen.call('opt_out', {});
      else pen.say(...told.map((words) => `${words} `));
      pen.done();
    },
    async (app) => {
      const { id, patientId } = await begin(app, 'acts');
      await text(app, phone, '02/29/1980');
      expect((await answers(app, id, 2)).at(-1)).toMatch(/^Done\. Refused: there is no tool "opt_?out"\.$/);
      const { data } = await app.ask(
        `query ($id: ID!) { patient(id: $id) { tasks { edges { node { channel phone scheduledFor reason } } }
          canContact(channel: TEXT, purpose: OTHER) { blocks } } }`,
        { id: patientId },
      );
      expect(data.patient.tasks.edges).toEqual([
        {
          node: {
            channel: 'VOICE',
            phone,
            scheduledFor: '2026-03-05T15:00:00.000Z',
            reason: 'Biopsy results of the liver',
          },
        },
      ]);
      expect(data.patient.canContact.blocks).not.toContain('DO_NOT_CONTACT');
    },
  ));

test('it is not asked about an opt-out', () =>
  withModel(
    (_thought, pen) => {
      pen.say('Please stay.');
      pen.done();
    },
    async (app, thoughts) => {
      const { id } = await begin(app, 'begs');
      await text(app, phone, '02/29/1980');
      await answers(app, id, 2);
      await text(app, phone, 'STOP');
      await eventually(async () => (await talk(app, id)).status === 'CLOSED');
      expect(thoughts).toHaveLength(1);
    },
  ));
