import { useState } from 'react';
import { Link } from 'wouter';
import { useLive } from '../live/use-live.ts';
import { TimelineDocument } from '../operations.ts';
import { Choice } from '../ui/fields.tsx';
import { dayOf, wordsOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Problem, When } from '../ui/parts.tsx';

const care = [
  'appointment.booked',
  'appointment.confirmed',
  'appointment.rescheduled',
  'appointment.cancelled',
  'lab.result_received',
  'referral.approved',
  'coverage.verified',
  'condition.recorded',
  'medication.prescribed',
  'medication.refill_due',
  'medication.refill_requested',
  'encounter.discharged',
  'care_plan.milestone_due',
  'gap_in_care.detected',
];
const filters = {
  all: { label: 'Everything', types: null },
  calls: {
    label: 'Calls',
    types: [
      'outbound.initiated',
      'call.answered',
      'call.machine_detected',
      'call.completed',
      'call.busy',
      'call.no_answer',
      'call.failed',
      'call.canceled',
      'call.rejected',
      'call.uncertain',
      'call.outcome_reported',
    ],
  },
  tasks: {
    label: 'Tasks',
    types: [
      'outbound.scheduled',
      'outbound.rescheduled',
      'outbound.snoozed',
      'outbound.blocked',
      'outbound.dispatched',
      'outbound.attempt_failed',
      'outbound.completed',
      'outbound.failed',
      'outbound.cancelled',
      'outbound.timed_out',
    ],
  },
  texts: {
    label: 'Texts and voicemails',
    types: [
      'conversation.started',
      'conversation.closed',
      'message.sent',
      'message.delivered',
      'message.undelivered',
      'message.received',
      'voicemail.requested',
      'voicemail.delivered',
      'voicemail.not_delivered',
      'voicemail.skipped',
      'voicemail.failed',
    ],
  },
  care: { label: 'Care', types: care },
  consent: {
    label: 'Consent and record',
    types: [
      'contact.consent_granted',
      'contact.consent_revoked',
      'contact.opted_out',
      'contact.wrong_person',
      'patient.registered',
      'patient.updated',
      'patient.status_changed',
      'patient.preferences_set',
      'patient.fact_learned',
    ],
  },
} as const;
type Filter = keyof typeof filters;
const options = Object.entries(filters).map(([value, { label }]) => ({ value: value as Filter, label }));

/** Everything that happened to someone, the newest first, in time as they live it. */
export function Timeline({ id, zone }: { id: string; zone: string | null }) {
  const [filter, setFilter] = useState<Filter>('all');
  const [pages, setPages] = useState<string[]>([]);
  const types = filters[filter].types;
  const variables = { id, types: types ? [...types] : null, after: pages.at(-1) ?? null };
  const concerns = (change: { patient: { id: string } | null }) => change.patient?.id === id;
  const { data, error } = useLive(TimelineDocument, variables, { concerns });
  const timeline = data?.patient?.timeline;
  const choose = (value: Filter) => {
    setFilter(value);
    setPages([]);
  };
  return (
    <Panel
      title="Timeline"
      actions={<Choice label="Show" value={filter} options={options} onChange={choose} />}
    >
      {error ? <Problem message={error.message} /> : null}
      {timeline ? null : <Loading what="the timeline" />}
      {timeline?.edges.length === 0 ? <Empty title="Nothing of that kind has happened." /> : null}
      <ol className="timeline">
        {timeline?.edges.map(({ node }, index) => {
          const day = dayOf(node.effectiveAt, zone ?? undefined);
          const before = timeline.edges[index - 1]?.node;
          const isNewDay = !before || dayOf(before.effectiveAt, zone ?? undefined) !== day;
          return (
            <li key={node.id} data-type={node.type}>
              {isNewDay ? <h3>{day}</h3> : null}
              <div className="happening">
                <When at={node.effectiveAt} zone={zone} />
                <div className="what">
                  {node.entityType === 'CALL' ? (
                    <Link href={`/calls/${node.entityId}`}>{node.summary}</Link>
                  ) : (
                    <span>{node.summary}</span>
                  )}
                  <small>{node.sourceSystem ?? wordsOf(node.source)}</small>
                </div>
              </div>
            </li>
          );
        })}
      </ol>
      <div className="body actions">
        {pages.length > 0 ? <Button onPress={() => setPages(pages.slice(0, -1))}>Newer</Button> : null}
        {timeline?.pageInfo.hasNextPage ? (
          <Button onPress={() => setPages([...pages, timeline.pageInfo.endCursor!])}>Older</Button>
        ) : null}
      </div>
    </Panel>
  );
}
