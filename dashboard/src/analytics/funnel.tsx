import { useState } from 'react';
import { useQuery } from 'urql';
import { now } from '../live/clock.ts';
import { FunnelDocument, type FunnelQuery } from '../operations.ts';
import { Columns } from '../ui/charts.tsx';
import { countOf, shareOf } from '../ui/format.ts';
import { Empty, Loading, Panel, Problem } from '../ui/parts.tsx';

/** How far tasks have come, from due to achieved, and how many attempts that took. */
export function Funnel() {
  const [at] = useState(() => new Date(now()).toISOString());
  const [{ data, error }] = useQuery({ query: FunnelDocument, variables: { now: at } });
  return (
    <Panel title="From due to achieved" note="All tasks so far, those taken away left out">
      {error ? <Problem message={error.message} /> : null}
      {data ? <Told data={data} /> : error ? null : <Loading what="the tasks" />}
    </Panel>
  );
}

function Told({ data }: { data: FunnelQuery }) {
  const { all, waiting, late, underWay, cancelled, achieved } = data;
  const due = all.totalCount - cancelled.totalCount - (waiting.totalCount - late.totalCount);
  const begun = due - late.totalCount;
  const over = begun - underWay.totalCount;
  const steps = [
    { label: 'Due', count: due },
    { label: 'Begun', count: begun },
    { label: 'Over', count: over },
    { label: 'Achieved', count: achieved.totalCount },
  ];
  if (due === 0) return <Empty title="No task has been due yet." />;
  return (
    <div className="body stack-small">
      <table className="exclusions">
        <caption className="hidden">From due to achieved</caption>
        <tbody>
          {steps.map(({ label, count }) => (
            <tr key={label}>
              <th scope="row">
                {label}
                <span className="bars" aria-hidden="true">
                  <span className="of-accent" style={{ width: `${(count / due) * 100}%` }} />
                </span>
              </th>
              <td className="count">
                {countOf(count)} <small>{shareOf(count, due)}</small>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <AttemptsToReach attempts={achieved.edges.map(({ node }) => node.attempts)} />
    </div>
  );
}

/** How many attempts it took, of the newest tasks that were achieved. */
function AttemptsToReach({ attempts }: { attempts: number[] }) {
  if (attempts.length === 0) return null;
  const most = Math.max(...attempts, 1);
  const columns = Array.from({ length: most }, (_, index) => ({
    label: String(index + 1),
    tasks: attempts.filter((count) => count === index + 1).length,
  }));
  return (
    <Columns
      title={`Attempts that it took, of the newest ${countOf(attempts.length)}`}
      series={[{ key: 'tasks', label: 'Tasks', colour: 'good' }]}
      columns={columns}
    />
  );
}
