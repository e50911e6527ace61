import { AsyncLocalStorage } from 'node:async_hooks';
import type { Event } from './domain/event.ts';

/**
 * What is being done: a request, a callback, a run of a job. Whatever happens on its way knows it, so that lines of the
 * log, traces and figures can be put together: a request's id, the events that it recorded, the calls and tasks of those.
 */
export interface Scope {
  /** In words of ours, such as `mutation placeCall`: never a client's text. */
  name: string;
  readonly requestId: string | null;
  /** The trace that the client has begun, as its header says; null: none. */
  readonly traceparent: string | null;
  /** When it began, on performance.now's scale. */
  readonly began: number;
  /** The first events that were recorded in it. */
  readonly events: { id: string; about: string }[];
  /** What is done when it is over. */
  readonly atEnd: (() => void)[];
  /** What goes on in the background afterwards is no part of it any more. */
  isOver: boolean;
}

/** As many events are kept of one scope; a round of dispatch may record thousands. */
const kept = 50;

const scopes = new AsyncLocalStorage<Scope>();

/** What is being done here and now; null: nothing that was given a name. */
export const scope = (): Scope | null => {
  const current = scopes.getStore();
  return current && !current.isOver ? current : null;
};

/** Does something under a name. */
export async function inScope<T>(
  named: { name: string; requestId?: string; traceparent?: string | null },
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  const { name, requestId = null, traceparent = null } = named;
  const began = performance.now();
  const entered: Scope = { name, requestId, traceparent, began, events: [], atEnd: [], isOver: false };
  try {
    return await scopes.run(entered, work, entered);
  } finally {
    entered.isOver = true;
    for (const end of entered.atEnd) end();
  }
}

/** What an event is part of: the call or task that all of it is about. */
export const aboutOf = ({ correlationId, entityId }: Pick<Event, 'correlationId' | 'entityId'>): string =>
  correlationId ?? entityId;

/** Notes what was recorded with what is being done. */
export function note(events: readonly Event[]): void {
  const noted = scope()?.events;
  if (!noted) return;
  for (const event of events.slice(0, kept - noted.length))
    noted.push({ id: event.id, about: aboutOf(event) });
}

/** What a line of the log is given of it; nothing outside of one. */
export function correlation(): { request?: string; during?: string; about?: string[]; events?: string[] } {
  const current = scope();
  if (!current) return {};
  const { name, requestId, events } = current;
  return {
    ...(requestId && { request: requestId }),
    during: name,
    ...(events.length > 0 && {
      about: [...new Set(events.map(({ about }) => about))],
      events: events.map(({ id }) => id),
    }),
  };
}
