import { readFileSync, writeFileSync } from 'node:fs';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../src/resolvers/index.ts';

/** Prints schema.graphql from the code; with --check only tells whether it is up to date. */
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;
if (process.argv.includes('--check')) {
  const committed = readFileSync('schema.graphql', 'utf8');
  if (committed !== printed) {
    process.stderr.write('schema.graphql is not what the code prints: run npm run generate\n');
    process.exit(1);
  }
} else {
  writeFileSync('schema.graphql', printed);
}
