/** Whoever watches the dials counts each that was not allowed a moment before, whatever has let it through. */
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { Carrier } from '../../src/carrier.ts';
import type { TextCarrier } from '../../src/carrier/text.ts';
import type { Event } from '../../src/domain/event.ts';
import { openCounters } from '../../src/metrics/counters.ts';
import { watchDials } from '../../src/metrics/dials.ts';
import { noTracing } from '../../src/tracing.ts';

const decidedAt = '2026-03-02T15:00:00.000Z';

/** An intent as it is recorded. */
const intent = (allowed: boolean): Event => ({
  ...({ entityType: 'CALL', version: 1, correlationId: null } as Event),
  entityId: 'call-1',
  type: 'outbound.initiated',
  data: { decision: { allowed, decidedAt } },
  recordedAt: new Date(decidedAt),
  effectiveAt: new Date(decidedAt),
});

async function counted(intents: Event[], { dials = 1, lateMs = 0 }: { dials?: number; lateMs?: number }) {
  const registry = new Registry();
  const clock = { now: () => new Date(Date.parse(decidedAt) + lateMs) };
  const watch = watchDials({ counters: openCounters(registry), tracing: noTracing, clock });
  const carrier = watch.carrier({
    dial: () => Promise.resolve({ outcome: 'accepted', sid: 'CA1' }),
  } as unknown as Carrier & TextCarrier);
  watch.recorded(intents);
  for (let dial = 0; dial < dials; dial += 1)
    await carrier.dial({ callId: 'call-1' } as Parameters<Carrier['dial']>[0], () => true);
  const text = await registry.metrics();
  const figure = (name: string) => Number(new RegExp(`^callwell_${name} (\\d+)$`, 'm').exec(text)?.[1]);
  return [figure('unlawful_dials_total{reason="no_allow"}'), figure('unlawful_dials_total{reason="stale"}')];
}

test.each([
  ['one that was allowed just before: none', [intent(true)], {}, [0, 0]],
  ['one of which nothing is recorded', [], {}, [1, 0]],
  ['one to which the gate said no', [intent(false)], {}, [1, 0]],
  ['a second one for the same intent', [intent(true)], { dials: 2 }, [1, 0]],
  ['one that was allowed long ago', [intent(true)], { lateMs: 7_000 }, [0, 1]],
] as const)('counts %s', async (_which, intents, made, expected) => {
  expect(await counted([...intents], made)).toEqual(expected);
});
