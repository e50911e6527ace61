import { createHash } from 'node:crypto';
import { table, type Envelope } from '../domain/event.ts';
import { shapeOf } from './sql.ts';

/** All of an event but its data, of which the chain holds the hash: so a person's data can be erased and the chain stays whole. */
export type Link = Omit<Envelope, 'cursor'> & { type: string; dataHash: string };

const linked = shapeOf(table).columns.filter(({ property }) => !['position', 'data'].includes(property));

/** What of the table event, as t, makes a link. */
export const linkColumns = linked.map(({ column, property }) => `t."${column}" as "${property}"`).join(', ');

/** The hash of a place in the log: over the one before it and everything that is known of the event. */
export const chain = (before: string, link: Link): string =>
  createHash('sha256')
    .update(JSON.stringify([before, ...linked.map(({ property }) => link[property as keyof Link])]))
    .digest('hex');
