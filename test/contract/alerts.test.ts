/** What wakes people: every figure that a rule or the dashboard reads is told, and every alert says what to do. */
import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { expect, test } from 'vitest';
import twilio from 'twilio';
import { parse } from 'yaml';
import { schedule } from '../api/tasks.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook_url: string };
}

const rules = (
  parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);

const panels = (
  JSON.parse(readFileSync('deploy/grafana/callwell.json', 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  }
).panels;

const expressions = [
  ...rules.map(({ alert, expr }) => ({ of: alert, expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ of: title, expr }))),
];

/** The metrics that an expression reads, each with the labels that it is narrowed by; throws where Prometheus could not read it. */
function readBy(expr: string): { metric: string; labels: string[] }[] {
  const found: { metric: string; labels: string[] }[] = [];
  parser.parse(expr).iterate({
    enter: ({ name, type, node, from, to }) => {
      if (type.isError) throw new Error(`cannot be read at ${from}: ${expr}`);
      if (name !== 'VectorSelector') return;
      const labels = [...expr.slice(from, to).matchAll(/[{,]\s*(\w+)\s*(?:=|!=|=~|!~)/g)].map(
        ([, label]) => label!,
      );
      const metric = node.getChild('Identifier');
      if (metric) found.push({ metric: expr.slice(metric.from, metric.to), labels });
    },
  });
  return found;
}

/** What /metrics tells: the names that Prometheus makes of it, each with the labels that it has been seen with. */
function toldBy(text: string): Map<string, Set<string>> {
  const told = new Map<string, Set<string>>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm))
    for (const ending of type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''])
      told.set(`${name}${ending}`, new Set());
  for (const [, name, labels] of text.matchAll(/^(\w+)\{(.*)\} /gm))
    for (const [, label] of labels!.matchAll(/(\w+)="/g)) told.get(name!)?.add(label!);
  return told;
}

test('every figure that a rule or the dashboard reads is told by /metrics, with its labels', async () => {
  await withApp(async (app) => {
    const { serviceId } = await setUp(app);
    const patientId = await addPatient(app, '+14155550110'); // refused by the carrier, so that its errors are told
    const input = { patientId, phoneFrom: '+14155550199', reason: 'Results', serviceId };
    await app.ask(placeCall, { input });
    await app.ask(placeCall, { input: { ...input, patientId: await addPatient(app, '+14155550100') } });
    const told = toldBy(await (await fetch(`${app.url}/metrics`)).text());
    const missing = expressions.flatMap(({ of, expr }) =>
      readBy(expr)
        .filter(({ metric }) => metric !== 'up')
        .flatMap(({ metric, labels }) => {
          const known = told.get(metric);
          if (!known) return [`${of}: ${metric}`];
          return known.size === 0
            ? []
            : labels.filter((label) => !known.has(label)).map((label) => `${of}: ${metric}{${label}}`);
        }),
    );
    expect(missing).toEqual([]);
  });
});

test('a misspelt metric would be found, and so would an expression that cannot be read', () => {
  expect(readBy('sum(increase(callwell_dails_total{channel="VOICE"}[5m]))')).toEqual([
    { metric: 'callwell_dails_total', labels: ['channel'] },
  ]);
  expect(() => readBy('sum(increase(callwell_dials_total[5m])')).toThrow('cannot be read');
});

test('every alert has a section of the runbook, and every section an alert', () => {
  const sections = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^## (\w+)$/gm)].map(
    ([, name]) => name!,
  );
  expect(sections.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  for (const { alert, annotations, labels } of rules) {
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    expect(annotations.summary).toMatch(/\.$/);
    expect(['page', 'ticket']).toContain(labels.severity);
  }
});

/** A figure as /metrics tells it; what is read from Postgres is up to a second old. */
async function figureOf(app: App, name: string): Promise<number | null> {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`callwell_${name} `));
  return line === undefined ? null : Number(line.split(' ').at(-1));
}

async function place(app: App, phone: string, serviceId: string) {
  const patientId = await addPatient(app, phone);
  const input = { patientId, phoneFrom: '+14155550199', reason: 'Results', serviceId };
  return { patientId, ...(await app.ask(placeCall, { input })).data.placeCall };
}

test('the figures tell of dials, of what the gate refused, and of what the carrier should never say', async () => {
  await withApp(async (app) => {
    const { serviceId } = await setUp(app);
    const placed = await place(app, '+14155550121', serviceId); // stays on the line
    await app.follow(placed.call.id, (status) => status === 'IN_PROGRESS');
    expect(await figureOf(app, 'dials_total{channel="VOICE"}')).toBe(1);
    expect(await figureOf(app, 'unlawful_dials_total{reason="no_allow"}')).toBe(0);
    expect(await figureOf(app, 'unlawful_dials_total{reason="stale"}')).toBe(0);
    await eventually(async () => (await figureOf(app, 'calls{status="IN_PROGRESS"}')) === 1);

    expect((await place(app, '+14155550121', serviceId)).code).toBe('CONTACT_BLOCKED');
    expect(await figureOf(app, 'gate_refusals_total{reason="ACTIVE_CONTACT"}')).toBe(1);
    expect(await figureOf(app, 'refusals_total{code="CONTACT_BLOCKED"}')).toBe(1);
    expect(await figureOf(app, 'dials_total{channel="VOICE"}')).toBe(1);

    await callBack(app, `calls/${placed.call.id}/status`, 'CA'.padEnd(34, 'f'));
    expect(await figureOf(app, 'carrier_duplicates_total')).toBe(1);
    await callBack(app, 'calls/01900000-0000-7000-8000-000000000000/status', placed.call.sid);
    expect(await figureOf(app, 'unknown_callbacks_total')).toBe(1);
    await eventually(async () => (await figureOf(app, 'live_lag_seconds')) === 0);
    expect(await figureOf(app, 'nats_connected')).toBe(1);
  });
});

test('the figures tell what is stuck where nobody works: events without a place, tasks that are due, calls of unknown end', async () => {
  await withApp(
    async (app) => {
      const { serviceId } = await setUp(app);
      const { patientId, ...placed } = await place(app, '+14155550114', serviceId); // its answer and callbacks are lost
      expect(placed.call.status).toBe('UNCERTAIN');
      const scheduled = await schedule(app, {
        patientId,
        scheduledFor: app.clock.now().toISOString(),
        serviceId,
      });
      expect(scheduled.data.scheduleTask.task.status).toBe('SCHEDULED');
      await eventually(async () => (await figureOf(app, 'due_tasks{queue="task"}')) === 1);
      expect(await figureOf(app, 'uncertain_attempts{channel="VOICE"}')).toBe(1);
      expect(await figureOf(app, 'calls{status="UNCERTAIN"}')).toBe(1);
      expect(await figureOf(app, 'uncertain_oldest_seconds')).toBeGreaterThan(0);
      expect(await figureOf(app, 'due_tasks_oldest_seconds{queue="task"}')).toBeGreaterThan(0);
      expect(await figureOf(app, 'outbox_events')).toBeGreaterThan(3);
      expect(await figureOf(app, 'outbox_oldest_seconds')).toBeGreaterThan(0);
    },
    { ROLE: 'api' },
  );
});

/** A callback as the simulated carrier would sign it. */
async function callBack(app: App, topic: string, sid: string): Promise<void> {
  const path = `/carrier/${app.workspaceId}/${topic}`;
  const body = { AccountSid: `AC${'0'.repeat(32)}`, CallSid: sid, CallStatus: 'ringing' };
  const signature = twilio.getExpectedTwilioSignature('simulated-carrier-token', `${app.url}${path}`, body);
  const headers = { 'x-twilio-signature': signature };
  const answer = await fetch(`${app.url}${path}`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(body),
  });
  expect(answer.status).toBeLessThan(500);
  expect(answer.status).not.toBe(403);
}
