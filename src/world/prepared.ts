import { sql, type RawBuilder } from 'kysely';
import pg from 'pg';

/** What such a statement begins with. */
export const preparedMark = '/* prepared */';

/**
 * A statement that Postgres parses and plans once for each connection, and not at every use: for those whose planning
 * takes longer than they do. Its text must be made of our own parts only, because each text is kept.
 */
export const prepared = (statement: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`${sql.raw(preparedMark)} ${statement}`;

const names = new Map<string, string>();

const ask = pg.Client.prototype.query as unknown as (this: pg.Client, ...given: unknown[]) => unknown;

/** A connection that gives marked statements the name by which Postgres knows them again. */
export class PreparingClient extends pg.Client {
  override query = ((text: unknown, values: unknown, ...rest: unknown[]) => {
    if (typeof text !== 'string' || !text.startsWith(preparedMark))
      return ask.call(this, text, values, ...rest);
    const name = names.get(text) ?? `prepared_${names.size}`;
    names.set(text, name);
    return ask.call(this, { name, text, values }, ...rest);
  }) as typeof pg.Client.prototype.query;
}
