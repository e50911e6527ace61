import { setTimeout as sleep } from 'node:timers/promises';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  isSpanContextValid,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  RandomIdGenerator,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Event } from '../domain/event.ts';
import { aboutOf, scope, type Scope } from '../scope.ts';
import type { Carried, Tracing, TracingOptions } from '../tracing.ts';

/** How long a collector may take to take the last spans, in milliseconds. */
const farewellMs = 1_000;

/** Everything that a span may say. What is said or found about a person is none of it, and neither is any number. */
const allowed = {
  about: 'callwell.about',
  eventId: 'callwell.event.id',
  eventType: 'callwell.event.type',
  requestId: 'callwell.request.id',
  subscribers: 'callwell.subscribers',
} as const;

type Said = Partial<Record<keyof typeof allowed, string | number | null>>;

const attributesOf = (said: Said): Attributes =>
  Object.fromEntries(
    Object.entries(allowed).flatMap(([key, name]) => {
      const value = said[key as keyof Said];
      return value === undefined || value === null ? [] : [[name, value]];
    }),
  );

/** Sends spans to a collector, by OTLP over HTTP. */
export function openSpans({ endpoint, ratio, role }: TracingOptions): Tracing {
  const ids = new Ids();
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'callwell', 'callwell.role': role }),
    // The same answer for the same trace in every process, whoever begins it.
    sampler: new TraceIdRatioBasedSampler(ratio),
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('callwell');
  const open = new WeakMap<Scope, Map<string, Span>>();

  /** A span of what is being done, in the trace of what an event is about. That of its first event begins the trace. */
  function begin(event: Event, current: Scope | null, isFirst: boolean): Span {
    const about = aboutOf(event);
    const options = {
      kind: current?.requestId ? SpanKind.SERVER : SpanKind.INTERNAL,
      attributes: attributesOf({ about, requestId: current?.requestId ?? null }),
      ...(current && { startTime: current.began }),
      links: linksTo(current?.traceparent),
    };
    const name = current?.name ?? event.actor;
    return isFirst
      ? ids.with(rootOf(about), () => tracer.startSpan(name, { ...options, root: true }))
      : tracer.startSpan(name, options, within(about));
  }

  function recorded(events: readonly Event[]): void {
    const current = scope();
    const spans = (current && open.get(current)) ?? new Map<string, Span>();
    const begun = new Set(events.filter(isFirstOf).map(({ entityId }) => entityId));
    for (const event of events) {
      const about = aboutOf(event);
      const span = spans.get(about) ?? begin(event, current, begun.has(about));
      spans.set(about, span);
      span.addEvent(event.type, attributesOf({ eventId: event.id }));
    }
    const end = () => {
      for (const span of spans.values()) span.end();
    };
    if (!current) return end();
    if (!open.has(current)) current.atEnd.push(end);
    open.set(current, spans);
  }

  async function around<T>(name: string, about: string | null, work: () => Promise<T>): Promise<T> {
    const attributes = attributesOf({ about });
    const context = about ? within(about) : ROOT_CONTEXT;
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, context);
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR }); // its message may name a number
      throw error;
    } finally {
      span.end();
    }
  }

  function published(event: Carried): string {
    const about = aboutOf(event);
    const attributes = attributesOf({ about, eventId: event.id, eventType: event.type });
    const span = tracer.startSpan('publish', { kind: SpanKind.PRODUCER, attributes }, within(about));
    span.end();
    return headerOf(span.spanContext());
  }

  function delivered(events: readonly Carried[], subscribers: number): void {
    for (const event of events) {
      const parent = contextOf(event.traceparent);
      if (!parent) continue;
      const said = { about: aboutOf(event), eventId: event.id, eventType: event.type, subscribers };
      const options = { kind: SpanKind.CONSUMER, attributes: attributesOf(said) };
      tracer.startSpan('deliver', options, trace.setSpanContext(ROOT_CONTEXT, parent)).end();
    }
  }

  /** What has not been taken by then is lost: stopping waits for nobody. */
  const close = () => Promise.race([provider.shutdown(), sleep(farewellMs, undefined, { ref: false })]);
  return { recorded, around, published, delivered, close };
}

/** Whether a call or a task begins with this event. */
const isFirstOf = (event: Event): boolean => event.version === 1 && event.entityId === aboutOf(event);

/** Ids of spans: random ones, but for the first of a trace, whose ids follow from what it is about. */
class Ids extends RandomIdGenerator {
  /** Begins one span with these ids. */
  with(ids: SpanContext, begin: () => Span): Span {
    const [trace, span] = [this.generateTraceId, this.generateSpanId];
    this.generateTraceId = () => ids.traceId;
    this.generateSpanId = () => ids.spanId;
    try {
      return begin();
    } finally {
      [this.generateTraceId, this.generateSpanId] = [trace, span];
    }
  }
}

/** A UUID is as long as a trace's id, and half of it as a span's. */
function rootOf(about: string): SpanContext {
  const traceId = about.replaceAll('-', '').toLowerCase();
  return { traceId, spanId: traceId.slice(16), traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

const within = (about: string): Context => trace.setSpanContext(ROOT_CONTEXT, rootOf(about));

/** W3C Trace Context, version 00. */
const headerOf = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;

function contextOf(header: string | null | undefined): SpanContext | null {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header ?? '') ?? [];
  if (!traceId || !spanId || !flags) return null;
  const found = { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(found) ? found : null;
}

/** A client's own trace is linked, not joined: who asks twice for one call, or for a thousand tasks, has one trace. */
function linksTo(header: string | null | undefined): Link[] {
  const context = contextOf(header);
  return context ? [{ context }] : [];
}
