import { useQuery } from 'urql';
import { StatsDocument } from '../operations.ts';
import { Columns } from '../ui/charts.tsx';
import { countOf, shareOf } from '../ui/format.ts';
import { Empty, Loading, Panel, Problem } from '../ui/parts.tsx';

const steps = [
  { key: 'due', label: 'Due' },
  { key: 'attempted', label: 'Attempted' },
  { key: 'reached', label: 'Reached' },
  { key: 'achieved', label: 'Achieved' },
] as const;

/** How far the tasks have come that were due in a time, and how many attempts it took to reach people. */
export function Funnel({ range }: { range: { since: string; until: string } }) {
  const [{ data, error }] = useQuery({ query: StatsDocument, variables: { ...range, groupBy: 'CHANNEL' } });
  const sum = (key: (typeof steps)[number]['key']) =>
    (data?.outreachStats ?? []).reduce((total, row) => total + row[key], 0);
  const due = sum('due');
  return (
    <Panel title="From due to achieved" note="Tasks that were due in this time, those taken away left out">
      {error ? <Problem message={error.message} /> : null}
      {data || error ? null : <Loading what="the tasks" />}
      {data && due === 0 ? <Empty title="No task was due in this time." /> : null}
      {due > 0 ? (
        <div className="body stack-small">
          <table className="exclusions">
            <caption className="hidden">From due to achieved</caption>
            <tbody>
              {steps.map(({ key, label }) => (
                <tr key={key} data-step={key}>
                  <th scope="row">
                    {label}
                    <span className="bars" aria-hidden="true">
                      <span className="of-accent" style={{ width: `${(sum(key) / due) * 100}%` }} />
                    </span>
                  </th>
                  <td className="count">
                    {countOf(sum(key))} <small>{shareOf(sum(key), due)}</small>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <AttemptsToReach range={range} />
        </div>
      ) : null}
    </Panel>
  );
}

/** How many people were reached by the first attempt, the second, and so on. */
function AttemptsToReach({ range }: { range: { since: string; until: string } }) {
  const [{ data }] = useQuery({ query: StatsDocument, variables: { ...range, groupBy: 'ATTEMPT' } });
  const rows = data?.outreachStats ?? [];
  if (!rows.some(({ reached }) => reached > 0)) return null;
  return (
    <Columns
      title="Attempts that it took to reach them"
      series={[{ key: 'reached', label: 'Reached', colour: 'good' }]}
      columns={rows.map(({ key, reached }) => ({ label: String(Number(key)), reached }))}
    />
  );
}
