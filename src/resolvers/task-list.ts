import type { Parent } from '../context.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask as Row } from '../domain/task.ts';
import { conditions, type TaskFilter as TaskWhere } from '../domain/task-filter.ts';
import { builder, failure, pageCost } from '../schema/builder.ts';
import { isId } from '../schema/input.ts';
import { page } from '../schema/page.ts';
import { Patient } from '../schema/patient.ts';
import { OutboundTask, OutboundTaskConnection, TaskStatus } from '../schema/task.ts';
import type { Page } from '../world/read.ts';

const TaskFilter = builder.inputType('TaskFilter', {
  fields: (t) => ({
    statuses: t.field({ type: [TaskStatus] }),
    patientId: t.id(),
    campaignId: t.id(),
    triggerId: t.id(),
    dueBefore: t.field({ type: 'DateTime', description: 'Next attempted before this instant.' }),
    priorityAtMost: t.int({ description: 'This urgent, or more.' }),
  }),
});

/** A filter whose instant is one. */
function filterOf(filter: TaskWhere | null | undefined): TaskWhere {
  if (filter?.dueBefore && Number.isNaN(filter.dueBefore.getTime()))
    throw failure('INVALID_INPUT', 'filter.dueBefore must be an ISO 8601 instant.');
  return filter ?? {};
}

/** Where a list is read from. */
interface Tasks {
  rows(wanted: Page): Promise<Row[]>;
  total(): Promise<number>;
}

/** Newest first, with how many there are. */
async function listed(args: Parameters<typeof page>[0], { rows, total }: Tasks) {
  const found = await page<Row>(
    args,
    ({ id }) => [id],
    ({ start, limit, inverted }) => rows({ order: ['id'], descending: !inverted, after: start, limit }),
  );
  return Object.assign(found, { total });
}

builder.queryFields((t) => ({
  outboundTask: t.field({
    type: OutboundTask,
    nullable: true,
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { loaders }) => (isId(id) ? loaders.task.load(id.toLowerCase()) : null),
  }),
  outboundTasks: t.connection(
    {
      type: OutboundTask,
      authScopes: { scope: 'tasks:read' }, // an empty page tells as well
      args: { filter: t.arg({ type: TaskFilter }) },
      complexity: pageCost,
      description: 'Newest first.',
      resolve: (_, { filter, ...args }, { world, workspaceId }) => {
        const where = { workspaceId: { eq: workspaceId }, ...conditions(filterOf(filter)) };
        return listed(args, {
          rows: (wanted) => world.page(tasks.table, { where, ...wanted }),
          total: () => world.count(tasks.table, where),
        });
      },
    },
    OutboundTaskConnection,
  ),
}));

builder.objectField(Patient, 'tasks', (t) =>
  t.connection(
    {
      type: OutboundTask,
      authScopes: { scope: 'tasks:read' },
      args: { statuses: t.arg({ type: [TaskStatus] }) },
      complexity: pageCost,
      description: 'Newest first.',
      resolve: ({ id }, { statuses, ...args }, { loaders }) => {
        const [of, where] = [['patientId', id] as Parent, conditions({ statuses })];
        return listed(args, {
          rows: (wanted) => loaders.page(tasks.table, of, { where, ...wanted }),
          total: () => loaders.count(tasks.table, of, where),
        });
      },
    },
    OutboundTaskConnection,
  ),
);
