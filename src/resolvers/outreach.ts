import { builder, failure } from '../schema/builder.ts';
import { Engagement, OutreachStats, StatsGroup } from '../schema/outreach.ts';
import { Patient } from '../schema/patient.ts';

builder.queryField('outreachStats', (t) =>
  t.field({
    type: [OutreachStats],
    authScopes: { scope: 'calls:read' }, // an empty list tells as well
    complexity: { field: 10, multiplier: 100 },
    description:
      'Attempts that began, and tasks that were due, from since up to, not including, until, to the instant. DAY, HOUR and ATTEMPT in their order, other groups by attempts, most first; at most 1,000 rows. Needs calls:read.',
    args: {
      since: t.arg({ type: 'DateTime', required: true }),
      until: t.arg({ type: 'DateTime', required: true }),
      groupBy: t.arg({ type: StatsGroup, required: true }),
    },
    resolve: (_, { since, until, groupBy: group }, { outreach, workspaceId }) => {
      if (Number.isNaN(since.getTime()) || Number.isNaN(until.getTime()))
        throw failure('INVALID_INPUT', 'since and until must be ISO 8601 instants.');
      if (since > until) throw failure('INVALID_INPUT', 'since must not be after until.');
      return outreach.statsOf({ workspaceId, since, until, group });
    },
  }),
);

builder.objectField(Patient, 'engagement', (t) =>
  t.field({
    type: Engagement,
    description: 'How often this person was tried, and when they answer.',
    resolve: ({ id }, _, { loaders }) => loaders.engagement.load(id),
  }),
);
