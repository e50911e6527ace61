/** What happened to a call, in one trace: from the request to the carrier, its callbacks, the stream and who watches. */
import { expect, test } from 'vitest';
import { withCollector, type CollectedSpan } from '../support/collector.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, isOver, placeCall, setUp, withApp } from '../support/program.ts';

/** What a span may say; anything else is a leak until it is written here and in the program. */
const mayBeSaid = new Set([
  'callwell.about',
  'callwell.event.id',
  'callwell.event.type',
  'callwell.request.id',
  'callwell.subscribers',
]);

const saidBy = ({ attributes, events }: CollectedSpan) =>
  [...attributes, ...events.flatMap((event) => event.attributes)].map(({ key }) => key);

test('a call is one trace, that begins with the mutation and ends with the subscriber, and names nobody', async () => {
  const clientTrace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const requestId = '0198c5a2-0000-4000-8000-00000000beef';
  await withCollector(async ({ url, spans, bodies }) => {
    const callId = await withApp(
      async (app) => {
        const { numberId: _, ...rest } = await setUp(app);
        const patientId = await addPatient(app, '+14155550100', 'Wilhelmina Quackenbush');
        app
          .client()
          .subscribe(
            { query: 'subscription { worldEvents { id } }' },
            { next() {}, error() {}, complete() {} },
          );
        await eventually(async () =>
          (await (await fetch(`${app.url}/metrics`)).text()).includes('callwell_live_subscribers 1'),
        );
        const answered = await fetch(`${app.url}/graphql`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${app.key}`,
            traceparent: clientTrace,
            'x-request-id': requestId,
          },
          body: JSON.stringify({
            query: placeCall,
            variables: {
              input: {
                patientId,
                phoneFrom: '+14155550199',
                reason: 'Quackery results',
                serviceId: rest.serviceId,
              },
            },
          }),
        });
        expect(answered.headers.get('x-request-id')).toBe(requestId);
        const { data } = (await answered.json()) as { data: { placeCall: { call: { id: string } } } };
        const { id } = data.placeCall.call;
        await app.follow(id, isOver);
        const isDelivered = ({ traceId, name }: CollectedSpan) =>
          traceId === id.replaceAll('-', '') && name === 'deliver';
        // Spans are sent together, every five seconds.
        await eventually(() => spans.filter(isDelivered).length > 4, 30_000);
        return id;
      },
      { OTEL_EXPORTER_OTLP_ENDPOINT: url },
    );
    const traceId = callId.replaceAll('-', '');
    const trace = spans.filter((span) => span.traceId === traceId);
    const named = (name: string) => trace.filter((span) => span.name === name);

    const [root] = named('mutation placeCall');
    expect(root).toMatchObject({
      spanId: traceId.slice(16),
      links: [{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }],
    });
    expect(root!.parentSpanId ?? '').toBe('');
    expect(root!.events.map(({ name }) => name)).toContain('outbound.initiated');
    expect(root!.attributes).toContainEqual({
      key: 'callwell.request.id',
      value: { stringValue: requestId },
    });
    expect(named('carrier dial VOICE')).toHaveLength(1);
    const heard = named('callback').flatMap(({ events }) => events.map(({ name }) => name));
    expect(heard).toEqual(expect.arrayContaining(['call.answered', 'call.completed']));
    expect(named('carrier dial VOICE')[0]!.parentSpanId).toBe(root!.spanId);

    // Through NATS: whoever delivers an event is a child of whoever published it.
    const published = new Map(named('publish').map((span) => [span.spanId, span]));
    const delivered = named('deliver');
    expect(delivered.length).toBeGreaterThan(4);
    expect(delivered.filter(({ parentSpanId }) => !published.has(parentSpanId ?? ''))).toEqual([]);

    expect([...new Set(spans.flatMap(saidBy))].filter((key) => !mayBeSaid.has(key))).toEqual([]);
    expect(bodies.join('\n')).not.toMatch(/Quack|Wilhelmina|5550100|5550199/);
  });
});

test('without a collector nothing is traced, and no traceparent travels', async () => {
  const { noTracing, openTracing } = await import('../../src/tracing.ts');
  expect(await openTracing(null)).toBe(noTracing);
  const event = { id: 'e', type: 'call.ringing', correlationId: null, entityId: 'c' };
  expect(noTracing.published(event)).toBeNull();
});
