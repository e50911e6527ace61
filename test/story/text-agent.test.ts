/** The agent answers texts: who it is about is verified first, and people may take over. */
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, withApp, type App } from '../support/program.ts';
import { send, setUpTexts, start, talk, text } from '../support/texts.ts';

const phone = '+12125550130';

/** A conversation that is begun for the agent, with a patient whose birth date is known. */
async function begin(app: App, instruction: string | null = 'Confirm the appointment tomorrow at 9.') {
  await setUpTexts(app);
  const patientId = await addPatient(app, phone, 'Rosa Diaz');
  await app.ask(
    `mutation { upsertPatient(input: { name: "Rosa Diaz", phone: "${phone}", birthDate: "1980-02-29", sourceSystem: "ehr" }) { __typename } }`,
  );
  const { talk: begun } = await start(app, { patientId, instruction, reason: 'Biopsy results of the liver' });
  return { patientId, id: begun.id as string };
}

/** Waits until so many texts are in a conversation; answers what was said by us after the first. */
const said = (app: App, id: string, count: number) =>
  eventually(async () => {
    const { texts } = await talk(app, id);
    if (texts.length < count) throw new Error(JSON.stringify(texts.map(({ body }) => body)));
    return texts.filter(({ direction }) => direction === 'OUTBOUND').map(({ body }) => body);
  }, 10_000);

test('it verifies before it tells anything, and notes what it promises as a task', () =>
  withApp(async (app) => {
    const { id, patientId } = await begin(app);
    await text(app, phone, 'Yes this is Rosa');
    const first = await said(app, id, 3);
    expect(first.join('\n')).not.toMatch(/biopsy|liver|appointment/i);
    expect(first.at(-1)).toMatch(/date of birth/i);
    await text(app, phone, '02/29/1980');
    await said(app, id, 5);
    // What is written in a row is answered together, and the promise in it is kept.
    await text(app, phone, 'Please call me tomorrow at 10');
    await text(app, phone, 'Thanks');
    await said(app, id, 8);
    const { data } = await app.ask(
      `query ($id: ID!) { patient(id: $id) { tasks { edges { node { channel status reason } } } } }`,
      { id: patientId },
    );
    expect(data.patient.tasks.edges).toMatchObject([
      { node: { channel: 'VOICE', status: 'SCHEDULED', reason: 'Biopsy results of the liver' } },
    ]);
  }));

test('it is silent where somebody of ours has written, and where a conversation was not begun for it', () =>
  withApp(async (app) => {
    const { id } = await begin(app);
    await send(app, id, 'This is Ben from the clinic. How can I help?');
    await text(app, phone, 'Who is this?');
    await app.ask('mutation { advanceClock(to: "2026-03-03T19:05:00Z") }');
    expect((await talk(app, id)).texts.at(-1)).toMatchObject({ direction: 'INBOUND' });
  }));
