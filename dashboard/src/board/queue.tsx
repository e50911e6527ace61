import { useNow } from '../live/clock.ts';
import { useLive } from '../live/use-live.ts';
import { QueueDocument, type QueueQuery } from '../operations.ts';
import { countOf } from '../ui/format.ts';
import { Problem } from '../ui/parts.tsx';

const spans = [
  { key: 'now', label: 'Now' },
  { key: 'soon', label: '15 min' },
  { key: 'hour', label: '1 h' },
  { key: 'day', label: '24 h' },
] as const;
const levels = [
  { key: 'Urgent', label: 'Urgent, 1-2' },
  { key: 'Usual', label: 'Usual, 3-5' },
  { key: 'All', label: 'Low, 6-10' },
] as const;

/** How long the same instants are asked about, in milliseconds. */
const slotMs = 15_000;

/** How many tasks wait, by when they are due and how urgent they are. */
export function QueueTable() {
  const slot = Math.ceil(useNow() / slotMs) * slotMs;
  const from = (ms: number) => new Date(slot + ms).toISOString();
  const { data, error } = useLive(
    QueueDocument,
    { now: from(0), soon: from(900_000), hour: from(3_600_000), day: from(86_400_000) },
    { concerns: ({ entityType }) => entityType === 'OUTBOUND_TASK', everyMs: 3_000 },
  );
  if (error && !data) return <Problem message={error.message} />;
  return (
    <table className="counts">
      <caption className="hidden">Tasks that wait, by urgency and time</caption>
      <thead>
        <tr>
          <th scope="col">Priority</th>
          {spans.map(({ key, label }) => (
            <th scope="col" key={key}>
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {levels.map((level, row) => (
          <tr key={level.key}>
            <th scope="row">{level.label}</th>
            {spans.map((span, column) => (
              <td key={span.key}>{data ? shown(cell(data, row, column)) : ''}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const shown = (count: number) => (count === 0 ? <span className="none">0</span> : countOf(count));

/** The API counts what is due before an instant, and this urgent or more: the rest is what lies between. */
function cell(data: QueueQuery, row: number, column: number): number {
  const upTo = (level: number, span: number) =>
    level < 0 || span < 0 ? 0 : data[`${spans[span]!.key}${levels[level]!.key}`].totalCount;
  return Math.max(
    0,
    upTo(row, column) - upTo(row - 1, column) - upTo(row, column - 1) + upTo(row - 1, column - 1),
  );
}
