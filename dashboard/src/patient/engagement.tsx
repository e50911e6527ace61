import { useLive } from '../live/use-live.ts';
import { EngagementDocument } from '../operations.ts';
import { countOf } from '../ui/format.ts';
import { Panel, Problem, When } from '../ui/parts.tsx';

/** How often someone was tried, and when they answer. */
export function Engagement({ id, zone }: { id: string; zone: string | null }) {
  const { data, error } = useLive(
    EngagementDocument,
    { id },
    { concerns: (change) => change.patient?.id === id, everyMs: 2_000 },
  );
  const engagement = data?.patient?.engagement;
  if (error) return <Problem message={error.message} />;
  if (!engagement) return null;
  const { attempts, answered, reachability, bestHour, consecutiveUnanswered, lastAnsweredAt } = engagement;
  const hour = (at: number) => `${String(at % 24).padStart(2, '0')}:00`;
  const terms: [string, string][] = [
    ['Attempts', countOf(attempts)],
    ['Answered', countOf(answered)],
    ['Reachable', reachability === null ? 'not tried yet' : `${Math.round(reachability * 100)} %`],
    [
      'Answers best',
      bestHour === null ? 'not known yet' : `${hour(bestHour)} to ${hour(bestHour + 2)}, their time`,
    ],
    ['Unanswered since', countOf(consecutiveUnanswered)],
  ];
  return (
    <Panel title="How they are reached">
      <dl className="terms body">
        {terms.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {lastAnsweredAt ? (
          <div>
            <dt>Last answered</dt>
            <dd>
              <When at={lastAnsweredAt} zone={zone} />
            </dd>
          </div>
        ) : null}
      </dl>
    </Panel>
  );
}
