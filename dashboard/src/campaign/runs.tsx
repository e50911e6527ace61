import type { RunCountsFragment } from '../operations.ts';
import { Columns } from '../ui/charts.tsx';
import { countOf, shareOf } from '../ui/format.ts';
import { Empty, Panel, Pill } from '../ui/parts.tsx';
import { states } from './progress.tsx';

/** The runs of a campaign, day beside day. */
export function Runs({ runs }: { runs: RunCountsFragment[] }) {
  if (runs.length === 0) {
    return (
      <Panel title="Days compared">
        <Empty title="It has not run yet." />
      </Panel>
    );
  }
  const columns = runs.toReversed().map((run) => ({
    label: run.date.slice(5),
    ...Object.fromEntries(states.map(({ key }) => [key, run[key]])),
  }));
  return (
    <Panel title="Days compared" note="The last two weeks at the most">
      <div className="body">
        <Columns title="Members by state" series={[...states]} columns={columns} />
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">Date</th>
            <th scope="col">Status</th>
            <th scope="col" className="count">
              Eligible
            </th>
            <th scope="col" className="count">
              Answered
            </th>
            <th scope="col" className="count">
              Left out
            </th>
            <th scope="col">Begun by</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id} data-run={run.id} data-status={run.status}>
              <th scope="row">{run.date}</th>
              <td>
                <Pill status={run.status} />
              </td>
              <td className="count">{countOf(run.eligible)}</td>
              <td className="count">{shareOf(run.answered, run.eligible)}</td>
              <td className="count">{countOf(run.exclusions.reduce((sum, { count }) => sum + count, 0))}</td>
              <td>{run.manual ? 'Hand' : 'Clock'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
