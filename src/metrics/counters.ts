import { Counter, Histogram, type Registry } from 'prom-client';
import { blocks, type Channel, type ContactDecision } from '../domain/consent.ts';
import type { Event } from '../domain/event.ts';
import { ContactBlocked, Refusal } from '../domain/refusal.ts';

/** Seconds, from a millisecond to minutes. */
const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Why a dial should not have been. */
export type Unlawful = 'no_allow' | 'stale';

/** Begins to count what this process does. What must never happen is there as 0 from the start, so that its first time shows. */
export function openCounters(registry: Registry) {
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `callwell_${name}`, help, labelNames, registers: [registry] });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Histogram({ name: `callwell_${name}`, help, labelNames, buckets, registers: [registry] });
  const events = counter('events_total', 'Events recorded', ['type']);
  const gate = counter('gate_refusals_total', 'Blocks for which the gate said no to an attempt', ['reason']);
  const refusals = counter('refusals_total', 'Requests for a contact that a rule refused', ['code']);
  const dials = counter('dials_total', 'Attempts for which a carrier was asked', ['channel']);
  const unlawful = counter('unlawful_dials_total', 'Attempts without a fresh ALLOW of the gate', ['reason']);
  const duplicates = counter('carrier_duplicates_total', 'Calls of ours that the carrier has twice', []);
  const unknown = counter('unknown_callbacks_total', 'Signed callbacks about calls that are not here', []);
  const errors = counter('carrier_errors_total', 'Requests that a carrier did not take', [
    'operation',
    'code',
  ]);
  const logged = counter('logged_errors_total', 'Errors that were logged', []);
  const asked = histogram('carrier_request_seconds', 'How long a carrier took to answer', ['operation']);
  const late = histogram('dispatch_lateness_seconds', 'From when a task was due to its turn', ['queue']);
  const callbacks = histogram('callback_delay_seconds', 'From what the carrier tells of to its event', []);
  const live = histogram('live_delay_seconds', 'From an event to those who watch', []);
  const requests = histogram('request_seconds', 'How long requests took', ['kind', 'status']);
  for (const reason of ['no_allow', 'stale'] as const) unlawful.inc({ reason }, 0);
  for (const reason of blocks) gate.inc({ reason }, 0);

  const blocked = (decision: ContactDecision | undefined) => {
    for (const reason of decision?.blocks ?? []) gate.inc({ reason });
  };

  /** Counts what was recorded just now. */
  function recorded(happened: readonly Event[]): void {
    for (const event of happened) {
      const { type, data, recordedAt, effectiveAt } = event;
      events.inc({ type });
      if (type === 'outbound.blocked') blocked((data as { decision?: ContactDecision }).decision);
      if (type.startsWith('call.') && (data as { via?: string }).via === 'callback')
        callbacks.observe(Math.max(0, recordedAt.getTime() - effectiveAt.getTime()) / 1000);
    }
  }

  return {
    recorded,
    /** Counts why somebody may not be contacted, where somebody has asked for it. */
    refused: (error: unknown): void => {
      if (error instanceof Refusal) refusals.inc({ code: error.code });
      if (error instanceof ContactBlocked) blocked(error.decision);
    },
    dialled: (channel: Channel): void => dials.inc({ channel }),
    unlawful: (reason: Unlawful): void => unlawful.inc({ reason }),
    duplicate: (): void => duplicates.inc(),
    unknownCallback: (): void => unknown.inc(),
    carrierAnswered: (operation: string, seconds: number): void => asked.observe({ operation }, seconds),
    carrierRefused: (operation: string, code: string): void => errors.inc({ operation, code }),
    errorLogged: (): void => logged.inc(),
    /** Tasks whose turn has come, each with when it was due. */
    dispatched: (taken: { turnAt: Date; dueAt: Date; isPaced: boolean }[]): void => {
      for (const { turnAt, dueAt, isPaced } of taken) {
        const seconds = Math.max(0, turnAt.getTime() - dueAt.getTime()) / 1000;
        late.observe({ queue: isPaced ? 'campaign' : 'task' }, seconds);
      }
    },
    seen: (seconds: number): void => live.observe(Math.max(0, seconds)),
    requestTook: (kind: string, status: number, seconds: number): void =>
      requests.observe({ kind, status: `${Math.floor(status / 100)}xx` }, seconds),
  };
}

/** Counts what this process does. */
export type Counters = ReturnType<typeof openCounters>;
