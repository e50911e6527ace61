import { sql, type RawBuilder } from 'kysely';
import { hashOf } from '../domain/hash.ts';
import { chain, linkColumns, type Link } from './chain.ts';

/** The first thing in the log that is not as it was recorded. */
interface Fault {
  /** Its place; null: it has none. */
  cursor: number | null;
  /** Null: the event itself is gone. */
  eventId: string | null;
  what: string;
}

/** A place in the log with the hash that stood there once, kept outside of the database. */
export interface Anchor {
  cursor: number;
  hash: string;
}

/** What a verification has found: how far the log is whole, and what ends that. */
export interface Verified {
  end: Anchor;
  /** Null: the log is whole. */
  fault: Fault | null;
}

interface Options {
  /** How many events are read at once; left out: 2,000. */
  page?: number;
  /** The log must still hold this place: else a log whose end was cut off would seem whole. */
  anchor?: Anchor | undefined;
  /** Told of each page, with the place that it ends at and the log's end. */
  told?: (cursor: number, end: number) => void;
  /** Whether a person's data were erased by right; the hash of what they were stays. Left out: nobody's were. */
  isErased?: (patientId: string) => boolean;
}

type Entry = Link & { cursor: number; hash: string; found: boolean; data: Record<string, unknown> };
type Reader = { query<T>(statement: RawBuilder<unknown>): Promise<T[]> };

/**
 * Goes through the log from its first event and computes its chain of hashes anew; ends at the first event that does not
 * fit. What is appended meanwhile is left to the next time.
 */
export async function verifyLog(reader: Reader, options: Options = {}): Promise<Verified> {
  const [last] = await reader.query<{ cursor: number }>(
    sql`select coalesce(max(global_seq), 0)::int8 as cursor from event_log`,
  );
  let end: Anchor = { cursor: 0, hash: '' };
  while (end.cursor < last!.cursor) {
    const entries = await entriesAfter(reader, end.cursor, {
      end: last!.cursor,
      page: options.page ?? 2_000,
    });
    for (const entry of entries) {
      const fault = faultOf(entry, end, options);
      if (fault) return { end, fault };
      end = { cursor: entry.cursor, hash: entry.hash };
    }
    options.told?.(end.cursor, last!.cursor);
  }
  return { end, fault: cutOff(end, options.anchor) ?? (await strayOf(reader)) };
}

const entriesAfter = (reader: Reader, after: number, { end, page }: { end: number; page: number }) =>
  reader.query<Entry>(sql`
    select l.global_seq as cursor, l.hash, t.id is not null as found, t.data, ${sql.raw(linkColumns)}
    from event_log l left join event t on t.workspace_id = l.workspace_id and t.position = l.position
    where l.global_seq > ${after} and l.global_seq <= ${end} order by l.global_seq limit ${page}`);

function faultOf(entry: Entry, before: Anchor, { anchor, isErased }: Options): Fault | null {
  const cursor = before.cursor + 1;
  const fault = (what: string, eventId: string | null = entry.id): Fault => ({ cursor, eventId, what });
  if (entry.cursor !== cursor) return fault('Its place is gone from the log.', null);
  if (!entry.found) return fault('The event at this place is gone.', null);
  const isEmptied = entry.patientId !== null && isErased?.(entry.patientId) === true && isEmpty(entry.data);
  if (!isEmptied && hashOf(entry.data) !== entry.dataHash)
    return fault('Its data are not those that were recorded.');
  if (chain(before.hash, entry) !== entry.hash)
    return fault('It is not what was recorded, or not at its place.');
  if (anchor?.cursor === cursor && anchor.hash !== entry.hash)
    return fault('The log up to here was written anew: another hash was kept of this place.');
  return null;
}

const isEmpty = (data: object): boolean => Object.keys(data).length === 0;

const cutOff = (end: Anchor, anchor: Anchor | undefined): Fault | null =>
  anchor && anchor.cursor > end.cursor
    ? {
        cursor: end.cursor + 1,
        eventId: null,
        what: `The log was cut off: it went on to ${anchor.cursor} at least.`,
      }
    : null;

/** An event that is in no place of the log, and does not wait for one: nobody has recorded it by the right way. */
async function strayOf(reader: Reader): Promise<Fault | null> {
  const [stray] = await reader.query<{ id: string }>(sql`
    select t.id from event t
    where not exists (select from event_log l where l.position = t.position)
      and not exists (select from outbox o where o.position = t.position)
    order by t.position limit 1`);
  return stray
    ? { cursor: null, eventId: stray.id, what: 'It has no place in the log, and waits for none.' }
    : null;
}
