import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { readConfig } from '../src/config.ts';
import { startProgram } from '../src/program.ts';
import { chromiumPath, howToGetChromium, openBrowser, openPage } from '../test/support/browser.ts';
import { ask } from '../test/support/program.ts';

/*
 * Takes the pictures of docs/dashboard.md: a program of its own with the sample, four days of its campaign, the patients
 * of the demo, and a morning on which calls are under way.
 */
const key = 'screenshots-screenshots';
const folder = new URL('../docs/screenshots/', import.meta.url);

/** A Monday, 10:00 in New York. */
const monday = '2026-06-01T14:00:00Z';

type Say = <T>(query: string, variables?: Record<string, unknown>) => Promise<T>;

/** What is done before the pictures are taken; answers the paths that need an id. */
async function live(say: Say): Promise<Record<string, string>> {
  const { campaigns } = await say<{ campaigns: { edges: { node: { id: string } }[] } }>(
    '{ campaigns(first: 1) { edges { node { id } } } }',
  );
  await automation(say);
  for (let day = 2; day <= 5; day++) {
    await say('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to: `2026-06-0${day}T15:30:00Z` });
  }
  const maria = await patientOf(say, 'Alvarez');
  await place(say, maria, 'Lab results are in');
  await morning(say);
  await texts(say);
  await schedule(say, maria, 7);
  await sleep(1_500);
  const calls = await say<{ patient: { calls: { edges: { node: { id: string } }[] } } }>(
    'query ($id: ID!) { patient(id: $id) { calls(first: 1) { edges { node { id } } } } }',
    { id: maria },
  );
  const { createCampaign } = await say<{ createCampaign: { campaign: { id: string } } }>(
    `mutation ($input: CampaignInput!) { createCampaign(input: $input) { ... on CampaignPayload { campaign { id } } } }`,
    { input: flu },
  );
  const { events } = await say<{ events: { edges: { node: { entityId: string } }[] } }>(
    '{ events(first: 1, types: ["message.received"]) { edges { node { entityId } } } }',
  );
  return {
    conversations: `/conversations/${events.edges[0]?.node.entityId ?? ''}`,
    preview: `/campaigns/${createCampaign.campaign.id}`,
    patient: `/patients/${maria}`,
    call: `/calls/${calls.patient.calls.edges[0]!.node.id}`,
    campaign: `/campaigns/${campaigns.edges[0]!.node.id}`,
  };
}

/** Calls that end in many ways, and calls that go on. */
async function morning(say: Say): Promise<void> {
  for (const name of ['Hughes', 'Okafor', 'Nowak', 'Tanaka', 'Petrov'])
    await place(say, await patientOf(say, name), 'Ask how they are doing');
  for (const [index, name] of [
    'Ida Moreau',
    'Peter Novak',
    'Aisha Bello',
    'Tom Reyes',
    'Lena Fischer',
  ].entries()) {
    const id = await registered(say, name, `+1${['212', '305', '312', '303', '213'][index]}5550121`);
    await place(
      say,
      id,
      ['Ask about the new medicine', 'Confirm the surgery', 'Check in after the discharge'][index % 3]!,
    );
    await schedule(say, id, index);
    await sleep(300);
  }
}

/** What makes tasks by itself, and a system that is told of events and cannot be reached. */
async function automation(say: Say): Promise<void> {
  const triggers = [
    {
      name: 'Monthly A1c check',
      kind: 'CRON',
      schedule: '0 10 1 * *',
      timeZone: 'America/New_York',
      filter: { 'patient.facts.gender': 'female' },
      action: { reason: 'Remind of the A1c test', purpose: 'CARE_PLAN' },
    },
    {
      name: 'Cancelled appointment',
      kind: 'EVENT',
      eventType: 'appointment.cancelled',
      action: { reason: 'Find another appointment', purpose: 'SCHEDULING', priority: 3 },
    },
  ];
  for (const input of triggers)
    await say('mutation ($input: TriggerInput!) { createTrigger(input: $input) { __typename } }', { input });
  await say(
    'mutation ($input: EventSubscriptionInput!) { createEventSubscription(input: $input) { __typename } }',
    {
      input: {
        url: 'https://records.example.invalid/hooks',
        types: ['call.completed', 'appointment.cancelled'],
      },
    },
  );
  const patientId = await patientOf(say, 'Rivera');
  const input = { patientId, type: 'appointment.cancelled', data: {}, sourceSystem: 'clinic' };
  await say('mutation ($input: RecordEventInput!) { recordEvent(input: $input) { __typename } }', { input });
  await sleep(2_000);
}

/** Two who were texted; one writes back. */
async function texts(say: Say): Promise<void> {
  await say('mutation ($input: PhoneNumberInput!) { registerPhoneNumber(input: $input) { __typename } }', {
    input: { phone: '+16465550191', label: 'Texts', text: true },
  });
  for (const [name, phone] of [
    ['Nadia Silva', '+12065550133'],
    ['Omar Haddad', '+17735550130'],
  ] as const) {
    const patientId = await registered(say, name, phone);
    const input = {
      patientId,
      reason: 'Confirm the visit',
      purpose: 'APPOINTMENT_REMINDER',
      opening: 'This is the Harbor Family Clinic. Your visit is tomorrow at 10. Reply YES to confirm.',
    };
    await say(
      'mutation ($input: StartConversationInput!) { startConversation(input: $input) { __typename } }',
      { input },
    );
  }
}

/** A draft whose calls take some hours. */
const flu = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  runAt: '10:00',
  timeZone: 'America/New_York',
  audience: {},
  callsPerMinute: 1,
  maxConcurrentCalls: 1,
};

async function patientOf(say: Say, search: string): Promise<string> {
  const { patients } = await say<{ patients: { edges: { node: { id: string } }[] } }>(
    'query ($search: String!) { patients(search: $search, first: 1) { edges { node { id } } } }',
    { search },
  );
  return patients.edges[0]!.node.id;
}

async function registered(say: Say, name: string, phone: string): Promise<string> {
  const { upsertPatient } = await say<{ upsertPatient: { patient: { id: string } } }>(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
    { input: { name, phone, sourceSystem: 'clinic' } },
  );
  return upsertPatient.patient.id;
}

const place = (say: Say, patientId: string, reason: string) =>
  say(`mutation ($input: PlaceCallInput!) { placeCall(input: $input) { __typename } }`, {
    input: { patientId, reason, purpose: 'CARE_PLAN', phoneFrom: '+12125550190' },
  });

/** Something for later: some within the hour, some today, the one more urgent than the other. */
async function schedule(say: Say, patientId: string, index: number): Promise<void> {
  const { clock } = await say<{ clock: string }>('{ clock }');
  const scheduledFor = new Date(
    Date.parse(clock) + [8, 14, 35, 50, 120, 300, 600, 1_440][index]! * 60_000,
  ).toISOString();
  const reason = ['Send the lab results', 'Refill the prescription', 'Ask about side effects'][index % 3]!;
  const input = { patientId, reason, scheduledFor, priority: [2, 5, 1, 7, 4, 5, 8, 5][index]! };
  await say(`mutation ($input: ScheduleTaskInput!) { scheduleTask(input: $input) { __typename } }`, {
    input,
  });
}

async function importPatients(url: string): Promise<void> {
  const query = `mutation ($file: File!) {
    importPatients(file: $file, format: FHIR_NDJSON, sourceSystem: "clinic") { __typename }
  }`;
  const form = new FormData();
  form.set('operations', JSON.stringify({ query, variables: { file: null } }));
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  form.set('0', new Blob([readFileSync(new URL('patients.ndjson', import.meta.url))]), 'patients.ndjson');
  await fetch(`${url}/graphql`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body: form });
}

/** One picture, as WebP: a tenth of a PNG. */
async function picture(page: Page, name: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 82 });
  writeFileSync(new URL(`${name}.webp`, folder), Buffer.from(data, 'base64'));
}

/** Every view, light and dark, and the board on a phone. */
async function pictures(url: string, ids: Record<string, string>): Promise<void> {
  const browser = await openBrowser();
  const views = {
    board: '/',
    ...ids,
    analytics: '/analytics',
    voicemails: '/voicemails',
    triggers: '/triggers',
    numbers: '/numbers',
    keys: '/keys',
  };
  for (const theme of ['light', 'dark'] as const) {
    const { page } = await openPage(browser, url, { key, dark: theme === 'dark' });
    for (const [name, path] of Object.entries(views)) {
      await page.goto(`${url}${path}`);
      await page.locator('[data-phase="live"]').waitFor();
      await sleep(1_200); // what is asked for after the view, and a chart's first drawing
      await picture(page, `${name}-${theme}`);
    }
    await page.goto(`${url}/triggers`);
    await page.getByRole('button', { name: 'New trigger' }).click();
    await page.locator('[data-times="5"]').waitFor();
    await picture(page, `form-${theme}`);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(url);
    await sleep(1_200);
    await picture(page, `phone-${theme}`);
  }
  await browser.close();
}

async function main(): Promise<void> {
  if (!chromiumPath) throw new Error(`pictures are ${howToGetChromium}`);
  mkdirSync(folder, { recursive: true });
  const dataDir = mkdtempSync(join(tmpdir(), 'callwell-pictures-'));
  chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
  const config = readConfig({
    PATH: process.env['PATH'],
    PORT: '0',
    DATA_DIR: dataDir,
    ADMIN_API_KEY: key,
    CLOCK_START: monday,
    SIM_PACE: '20',
    SOURCE_NUMBER_CALLS_PER_MINUTE: '60',
    CARRIER_CPS: '50',
  });
  const program = await startProgram(config, () => {});
  const say: Say = async (query, variables = {}) => {
    const { data, errors } = await ask<{ data: never; errors?: { message: string }[] }>(program.url, {
      query,
      variables,
      key,
    });
    if (errors?.[0]) throw new Error(errors[0].message);
    return data;
  };
  try {
    await importPatients(program.url);
    await sleep(12_000); // the sample's first calls and its campaign's beginning
    await pictures(program.url, await live(say));
  } finally {
    await program.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

await main();
