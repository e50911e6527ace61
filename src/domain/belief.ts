/** What one source said of one attribute: the value, how sure it was, and the event that says so. */
export interface Belief {
  value: string;
  /** 0 to 1. */
  confidence: number;
  /** The system it came from, or the way it reached us. */
  source: string;
  /** ISO instant at which it was true. */
  effectiveAt: string;
  eventId: string;
}

/** Beliefs by attribute, each list with the believed one first. */
export type Beliefs = Record<string, Belief[]>;

/** How many beliefs of one attribute are kept in the row; the events keep them all. */
const kept = 10;

/** Adds a belief: the most confident is believed, then the newest, then the one that was recorded last. */
export function believe(beliefs: Beliefs, key: string, belief: Belief): Beliefs {
  const others = (beliefs[key] ?? []).filter((other) => other.eventId !== belief.eventId);
  const ranked = [belief, ...others].sort(
    (a, b) => b.confidence - a.confidence || Date.parse(b.effectiveAt) - Date.parse(a.effectiveAt),
  );
  return { ...beliefs, [key]: ranked.slice(0, kept) };
}

/** The value that is believed; null when nothing was ever said. */
export const believed = (beliefs: Beliefs, key: string): string | null => beliefs[key]?.[0]?.value ?? null;

/** Whether a source says something of an attribute that it has not said last. */
export function isNews(beliefs: Beliefs, key: string, said: Pick<Belief, 'value' | 'confidence' | 'source'>) {
  const own = (beliefs[key] ?? []).filter((belief) => belief.source === said.source);
  const latest = own.toSorted((a, b) => Date.parse(b.effectiveAt) - Date.parse(a.effectiveAt))[0];
  return !latest || latest.value !== said.value || latest.confidence !== said.confidence;
}
