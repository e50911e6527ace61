import type { Event } from './domain/event.ts';

/** An event on its way through the stream. */
export type Carried = Pick<Event, 'id' | 'type' | 'correlationId' | 'entityId'> & { traceparent?: string };

/**
 * Traces of what happens to a call or a task, across processes. Its id is the trace's, so nothing has to be stored or
 * handed on for a callback to find its trace: whoever knows what it is about knows that.
 */
export interface Tracing {
  /** What is being done has recorded these. */
  recorded(events: readonly Event[]): void;
  /** A request to the outside, about a call or a task; null: about none that is known. */
  around<T>(name: string, about: string | null, work: () => Promise<T>): Promise<T>;
  /** An event goes into the stream; the answer goes with it. */
  published(event: Carried): string | null;
  /** Events have reached so many subscribers of this process. */
  delivered(events: readonly Carried[], subscribers: number): void;
  close(): Promise<void>;
}

/** Traces nothing, and costs nothing. */
export const noTracing: Tracing = {
  recorded: () => {},
  around: (_name, _about, work) => work(),
  published: () => null,
  delivered: () => {},
  close: () => Promise.resolve(),
};

/** Where traces go, and how many of a hundred, as a share of 1. */
export interface TracingOptions {
  endpoint: string;
  ratio: number;
  role: string;
}

/** Opens tracing; null: nothing is traced, and none of OpenTelemetry is loaded. */
export const openTracing = async (options: TracingOptions | null): Promise<Tracing> =>
  options === null ? noTracing : (await import('./tracing/open.ts')).openSpans(options);
