import { execFileSync } from 'node:child_process';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { created } from '../api/campaigns.ts';
import { chromiumPath, howToGetChromium, openBrowser, openPage, seriousFaults } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';

// oxlint-disable-next-line vitest/no-conditional-tests -- told where it is left out, and nowhere else
if (!chromiumPath) {
  process.stdout.write(`The tests of the dashboard are ${howToGetChromium}.\n`);
  test(`the dashboard in a browser: ${howToGetChromium}`, (context) => context.skip());
}

/**
 * How long a frame may take while 500 changes arrive each second, in milliseconds: one that anybody would call frozen.
 * On an idle machine nearly all take 17 ms; here others may have the processors.
 */
const frozenMs = 1_000;

describe.runIf(chromiumPath)('the dashboard', { timeout: 60_000 }, () => {
  let app: App;
  let browser: Browser;
  let finish: () => void;
  let running: Promise<void>;
  let rosa: string;
  const shown = (options: { dark?: boolean; width?: number } = {}) =>
    openPage(browser, app.url, { key: app.key, ...options });

  beforeAll(async () => {
    execFileSync(process.execPath, ['dashboard/build.ts'], { stdio: 'inherit' });
    browser = await openBrowser();
    await new Promise<void>((resolve, reject) => {
      const work = (given: App) => {
        app = given;
        resolve();
        return new Promise<void>((end) => (finish = end));
      };
      running = withApp(work, { SIM_PACE: '10', SOURCE_NUMBER_CALLS_PER_MINUTE: '60' });
      running.catch(reject);
    });
    await setUp(app);
    rosa = await addPatient(app, '+12125550100', 'Rosa Delgado');
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    finish?.();
    await running;
  });

  test('signs in with a key, which is in no URL, and refuses any other', async () => {
    const { page, faults } = await openPage(browser, app.url);
    const urls: string[] = [];
    page.on('request', (request) => void urls.push(request.url()));
    await page.goto(app.url);
    await page.getByLabel('API key').fill('no-such-key-no-such-key');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This key is not known here').waitFor();
    await page.getByLabel('API key').fill(app.key);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Live board' }).waitFor();
    await isLive(page);
    expect([...urls, page.url()].filter((url) => url.includes(app.key))).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('is served under a strict policy, its parts for good, and nothing where nothing is', async () => {
    const get = (path: string, accept = 'text/html') => fetch(`${app.url}${path}`, { headers: { accept } });
    const page = await get('/patients/somebody');
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'/,
    );
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const script = /src="\.?(\/assets\/[^"]+)"/.exec(await page.text())![1]!;
    const part = await get(script, '*/*');
    expect(part.headers.get('cache-control')).toContain('immutable');
    expect(part.headers.get('content-encoding')).not.toBeNull();
    expect([
      (await get('/assets/none.js', '*/*')).status,
      (await get('/assets/../stamp', '*/*')).status,
    ]).toEqual([404, 404]);
  });

  test('loads with less than 300 kB, compressed', async () => {
    const { page } = await shown();
    await page.goto(app.url);
    await isLive(page);
    const bytes = await page.evaluate<number>(`performance.getEntriesByType('navigation')
      .concat(performance.getEntriesByType('resource').filter(({ name }) => !name.includes('/graphql')))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`);
    process.stdout.write(`the dashboard's first load: ${Math.round(bytes / 1_000)} kB\n`);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(300_000);
    await page.context().close();
  });

  test('places a call with the keyboard alone, and shows it to its end', async () => {
    const { page, faults } = await shown();
    await page.goto(`${app.url}/patients/${rosa}`);
    await page.getByRole('heading', { name: 'Rosa Delgado' }).waitFor();
    await page.getByText('They gave us this number for their care.').waitFor();
    await page.getByRole('button', { name: 'Call now' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByLabel('Reason').focus();
    await page.keyboard.type('Confirm the appointment');
    await page.keyboard.press('Enter');
    await page.locator('[data-call][data-status="COMPLETED"]').waitFor({ timeout: 20_000 });
    const steps = await page
      .locator('[data-type]')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-type')));
    expect([steps[0], steps.at(-1)]).toEqual(['outbound.initiated', 'call.completed']);
    expect(steps).toContain('call.answered');
    await page.getByRole('link', { name: 'Live board' }).click();
    await page.locator('.row[data-status="COMPLETED"]').getByText('Rosa Delgado').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('says why somebody may not be called at a chosen time, in words', async () => {
    const { page } = await shown();
    await page.goto(`${app.url}/patients/${rosa}`);
    await page.getByLabel('When', { exact: true }).selectOption('At a time');
    await page.getByLabel('At', { exact: true }).fill('2026-03-04T23:30');
    await page.getByText('outside of the hours in which the law lets us call').waitFor();
    await page.getByText('It is 23:30 where they are (New York)').waitFor();
    await page.context().close();
  });

  test('schedules, snoozes and cancels a task', async () => {
    const { page } = await shown();
    await page.goto(`${app.url}/patients/${rosa}`);
    await page.getByRole('button', { name: 'Schedule' }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('Bring the results');
    await page.getByRole('dialog').getByRole('button', { name: 'Schedule' }).click();
    await page.locator('[data-task][data-status="SCHEDULED"]').getByText('Bring the results').waitFor();
    await page.getByRole('button', { name: 'Snooze' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Snooze' }).click();
    await page.locator('[data-task][data-status="SNOOZED"]').waitFor();
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the task' }).click();
    await page.locator('[data-task][data-status="CANCELLED"]').waitFor();
    await page.context().close();
  });

  test('shows what a campaign would do, runs it, pauses it and lets it go on', async () => {
    for (let index = 0; index < 12; index++)
      await addPatient(app, `+1303555${2_000 + index}`, `Member ${index}`);
    const id = await created(app, { callsPerMinute: 60, maxConcurrentCalls: 2 });
    const { page, faults } = await shown();
    await page.goto(`${app.url}/campaigns/${id}`);
    await page.getByText('would be called').waitFor();
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.locator('.heading[data-status="ACTIVE"]').waitFor();
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.locator('[data-run][data-status="RUNNING"]').waitFor();
    await page.locator('[data-state="inFlight"] dd:not(:text-is("0"))').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('.heading[data-status="PAUSED"]').waitFor();
    await page.locator('[data-run][data-status="PAUSED"]').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('[data-run][data-status="RUNNING"]').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows when a trigger comes next, pauses it, and delivers again what could not be delivered', async () => {
    const schedule = { kind: 'CRON', schedule: '0 9 1 * *', timeZone: 'America/New_York' };
    const action = { reason: 'Remind of the test' };
    await app.ask('mutation ($input: TriggerInput!) { createTrigger(input: $input) { __typename } }', {
      input: { name: 'Monthly', ...schedule, action },
    });
    await app.ask(
      `mutation { createEventSubscription(input: { url: "https://nobody.invalid/hook", types: ["ext.told"] }) {
        __typename } }`,
    );
    await app.ask(
      `mutation ($id: ID!) { recordEvent(input: { patientId: $id, type: "ext.told", data: {}, sourceSystem: "ehr" }) {
        __typename } }`,
      { id: rosa },
    );
    const { page, faults } = await shown();
    await page.goto(`${app.url}/triggers`);
    const trigger = page.locator('[data-trigger]');
    await trigger.getByText('Wed, Apr 1, 08:00').waitFor(); // 9:00 in New York, on a clock in Chicago
    await trigger.getByRole('button', { name: 'Pause' }).click();
    await page.locator('[data-trigger][data-active="false"]').waitFor();
    const letter = page.locator('[data-delivery]');
    await letter.getByText(/^[1-9]\d* attempt/).waitFor({ timeout: 20_000 });
    const before = await letter.innerText();
    await letter.getByRole('button', { name: 'Deliver again' }).click();
    await eventually(async () => (await letter.innerText()) !== before, 15_000);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('says that it is behind when the network is lost, and misses no change', async () => {
    const { page } = await shown();
    await page.goto(app.url);
    await isLive(page);
    const begin = await readHead(page, app);
    await page.context().setOffline(true);
    await page.getByText('Not connected since').waitFor();
    const record = `mutation ($id: ID!) {
      recordEvent(input: { patientId: $id, type: "ext.lost", data: {}, sourceSystem: "ehr" }) { __typename }
    }`;
    for (let index = 0; index < 40; index++) await app.ask(record, { id: rosa });
    await page.getByText(/What you see is \d+ s old/).waitFor();
    await page.context().setOffline(false);
    await isLive(page);
    await eventually(async () => {
      const { count, cursor } = await headOf(page);
      const { data } = await app.ask('{ events(first: 1) { edges { node { cursor } } } }');
      const last = Number(data.events.edges[0].node.cursor);
      if (cursor !== last) throw new Error(`shows ${cursor} of ${last}`);
      if (count - begin.count !== last - begin.cursor)
        throw new Error(`applied ${count - begin.count} of ${last - begin.cursor}`);
      return true;
    }, 15_000);
    await page.context().close();
  });

  test('holds 500 changes a second without freezing', async () => {
    const { page } = await shown();
    const flood = await flooded(page);
    await page.goto(app.url);
    await isLive(page);
    await page.evaluate(`(() => { const gaps = (window.gaps = []); let last = performance.now();
      const frame = (at) => { gaps.push(at - last); last = at; requestAnimationFrame(frame); }; requestAnimationFrame(frame); })()`);
    const before = (await headOf(page)).count;
    const sent = await flood(5_000);
    await eventually(async () => {
      const { count } = await headOf(page);
      if (count - before < sent) throw new Error(`${count - before} of ${sent}`);
      return true;
    }, 10_000);
    const gaps = (await page.evaluate<number[]>('window.gaps')).toSorted((a, b) => a - b);
    const longest = gaps.at(-1)!;
    const usual = gaps[Math.floor(gaps.length * 0.95)]!;
    process.stdout.write(
      `frames under ${sent} changes: 95 % within ${Math.round(usual)} ms, longest ${Math.round(longest)} ms\n`,
    );
    expect(sent).toBe(2_500);
    expect(longest).toBeLessThan(frozenMs);
    await page.context().close();
  });

  const views = () => [
    '/',
    '/patients',
    `/patients/${rosa}`,
    '/campaigns',
    '/analytics',
    '/conversations',
    '/voicemails',
    '/triggers',
    '/numbers',
    '/keys',
    '/nowhere',
  ];

  test('has no serious fault for those who cannot see or point: light, dark, and as wide as a phone', async () => {
    const { page, faults } = await shown();
    const found: string[] = [];
    const look = async (path: string, rules?: string[]) =>
      found.push(...(await seriousFaults(page, rules)).map((fault) => `${path} ${fault}`));
    for (const path of views()) {
      await page.setViewportSize({ width: 1_280, height: 900 });
      await page.emulateMedia({ colorScheme: 'light' });
      await page.goto(`${app.url}${path}`);
      await isLive(page);
      await page.locator('main h1, main .empty').first().waitFor();
      await eventually(async () => (await page.locator('.loading').count()) === 0);
      await look(path);
      await page.emulateMedia({ colorScheme: 'dark' });
      await look(path, ['color-contrast']);
      await page.setViewportSize({ width: 375, height: 800 });
      await look(path);
      const wide = Number(await page.evaluate('document.documentElement.scrollWidth'));
      if (wide > 375) found.push(`${path} is ${wide} wide`);
    }
    expect(found).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});

const isLive = (page: Page) => page.locator('[data-phase="live"]').waitFor();

/** How many changes the page has applied, and which was the last: both of one moment. */
async function headOf(page: Page): Promise<{ count: number; cursor: number }> {
  const { count, cursor } = await page.evaluate<Record<string, string>>(
    "({ ...document.querySelector('.live').dataset })",
  );
  return { count: Number(count), cursor: Number(cursor) };
}

/** The same, once the page shows everything that the log has. */
const readHead = (page: Page, app: App) =>
  eventually(async () => {
    const { data } = await app.ask('{ events(first: 1) { edges { node { cursor } } } }');
    const head = await headOf(page);
    return head.cursor === Number(data.events.edges[0].node.cursor) ? head : null;
  }, 15_000);

/** Lets calls begin, ring, be answered and end in the page's own socket, 500 changes a second for so many milliseconds. */
async function flooded(page: Page): Promise<(ms: number) => Promise<number>> {
  let subscription: string | null = null;
  let send: (message: string) => void = () => {};
  await page.routeWebSocket(/graphql/, (socket) => {
    const server = socket.connectToServer();
    send = (message) => socket.send(message);
    socket.onMessage((message) => {
      const { type, id } = JSON.parse(String(message)) as { type: string; id: string };
      if (type === 'subscribe') subscription = id;
      server.send(message);
    });
  });
  const life = ['outbound.initiated', 'call.accepted', 'call.ringing', 'call.answered', 'call.completed'];
  return async (ms) => {
    await eventually(() => subscription);
    const began = performance.now();
    let sent = 0;
    while (sent < ms / 2) {
      const due = Math.min(ms / 2, Math.floor((performance.now() - began) / 2));
      for (; sent < due; sent++)
        send(
          JSON.stringify({
            id: subscription,
            type: 'next',
            payload: { data: { worldEvents: change(sent) } },
          }),
        );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return sent;
  };
  /** Two hundred calls at a time, each one step further in its turn. */
  function change(index: number) {
    const at = new Date().toISOString();
    const lap = Math.floor(index / 200);
    const call = `flood-${Math.floor(lap / life.length)}-${index % 200}`;
    const data = {
      reason: 'Flood',
      phoneTo: '+12125550100',
      origin: 'API',
      purpose: 'OTHER',
      endedReason: 'completed',
    };
    const patient = { __typename: 'Patient', id: 'nobody', name: `Patient ${index % 200}` };
    return {
      __typename: 'WorldEvent',
      id: `e${index}`,
      cursor: String(1_000_000_000 + index),
      type: life[lap % life.length],
      entityType: 'CALL',
      entityId: call,
      data,
      summary: '',
      effectiveAt: at,
      recordedAt: at,
      patient,
    };
  }
}
