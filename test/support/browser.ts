import axe from 'axe-core';
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Where Chromium usually is. */
const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const named = process.env['CHROMIUM_BIN'];

/** The Chromium of this machine, or the one that `CHROMIUM_BIN` names, and no other then; undefined: it is not there. */
export const chromiumPath = (named ? [named] : places).find((path) => existsSync(path));

/** What to do where there is none, in words. */
export const howToGetChromium = `left out, because ${
  named ? `there is nothing at CHROMIUM_BIN=${named}` : 'this machine has no Chromium'
}: apt-get install chromium, or name one in CHROMIUM_BIN`;

/** Starts the machine's Chromium, without a window. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-dev-shm-usage'] });

/** What happened in a page that should not: other sites asked, our policy broken, errors. */
export interface Watched {
  page: Page;
  /** Requests to anything but the server, and whatever the browser complained about. */
  faults: string[];
}

/** Opens a page that is signed in with a key and watched; without a key it is not signed in. */
export async function openPage(
  browser: Browser,
  url: string,
  options: { key?: string; dark?: boolean; width?: number } = {},
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1_280, height: 900 },
    colorScheme: options.dark ? 'dark' : 'light',
    timezoneId: 'America/Chicago',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) faults.push(`asked ${request.url()}`);
  });
  page.on('pageerror', (error) => void faults.push(error.message));
  page.on('console', (message) => {
    // A lost connection is told by the browser too.
    if (message.type() === 'error' && !/ERR_|WebSocket/.test(message.text())) faults.push(message.text());
  });
  if (options.key) await page.addInitScript(`sessionStorage.setItem('callwell-key', '${options.key}')`);
  return { page, faults };
}

/** The serious and critical faults that axe finds in what is shown, one line each; `rules`: only those; `within`: only there. */
export async function seriousFaults(
  page: Page,
  { rules, within = 'html' }: { rules?: string[]; within?: string } = {},
): Promise<string[]> {
  // Our policy forbids a script of another origin in the page, so it is evaluated from outside.
  if (!(await page.evaluate('window.axe'))) await page.evaluate(axe.source);
  const options = JSON.stringify({ resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) });
  const found = (await page.evaluate(`axe.run(document.querySelector('${within}'), ${options})`)) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
}
