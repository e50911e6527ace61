/** What the claim of due tasks costs, however many others wait: its plan, not its time, is what is held to. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimDue, nextDueAt } from '../../src/attempt/due.ts';
import * as tasks from '../../src/domain/task.ts';
import type { World } from '../../src/world.ts';
import { shapeOf } from '../../src/world/sql.ts';
import { numbers, withClinic, type Clinic } from './clinic.ts';

/** A node of a plan, as Postgres tells it. */
interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Node[];
}

const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap((child) => nodesOf(child))];

/** What Postgres says of a claim, without making it; its times are for whoever wants to see them. */
async function explain(world: World, now: Date) {
  let rows: { 'QUERY PLAN': [{ Plan: Node; 'Execution Time': number }] }[] = [];
  const due = { now, until: now, limit: 100, callsPerMinute: 10_000 };
  await claimDue(
    {
      claim: async (_kind, statement) => {
        const text = statement(sql.raw(shapeOf(tasks.table).select));
        rows = await world.query(sql`explain (analyze, buffers, format json) ${text}`);
        return [];
      },
    },
    due,
  );
  const [{ Plan: plan, 'Execution Time': executionMs }] = rows[0]!['QUERY PLAN'];
  const began = performance.now();
  await nextDueAt(world, due);
  return {
    nodes: nodesOf(plan),
    rows: plan['Actual Rows'],
    blocks: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    times: { executionMs, nextDueMs: performance.now() - began },
  };
}

/** So many copies of a task, over ten caller IDs and all priorities, due one after another from an instant on. */
const more = (clinic: Clinic, id: string, { count, from }: { count: number; from: Date }) =>
  clinic.copies(id, count, {
    priority: sql`1 + n % 10`,
    phone_from: sql`'+141555501' || lpad((n / 10 % 10)::text, 2, '0')`,
    next_attempt_at: sql`${from}::timestamptz + n * interval '1 second'`,
  });

test('the claim reads what is due by its index alone, and no more of it when ten times as many wait', () =>
  withClinic(async (clinic) => {
    const { world, clock, tasksAt } = clinic;
    const now = clock.now();
    const [id] = await tasksAt(numbers(1));
    await more(clinic, id!, { count: 1_000, from: new Date(now.getTime() - 3_600_000) });
    await more(clinic, id!, { count: 9_000, from: new Date(now.getTime() + 3_600_000) });
    await world.query(sql`analyze outbound_task`);
    await explain(world, now); // what is read for the first time is marked, once
    const few = await explain(world, now);
    await more(clinic, id!, { count: 90_000, from: new Date(now.getTime() + 3_600_000) });
    await world.query(sql`analyze outbound_task`);
    await explain(world, now);
    const many = await explain(world, now);
    for (const { nodes, rows } of [few, many]) {
      expect(rows).toBe(100);
      const reads = nodes.filter((node) => node['Relation Name'] === 'outbound_task');
      expect(reads.map((node) => node['Index Name'] ?? node['Node Type'])).not.toContain('Seq Scan');
      expect(reads.map((node) => node['Index Name'])).toContain('task_due');
    }
    // An index of ten times as many entries may be a level deeper, which is a block for each of its 100 looks.
    expect(many.blocks, JSON.stringify({ few: few.blocks, many: many.blocks })).toBeLessThan(
      few.blocks * 1.2,
    );
  }));
