import type { RunCountsFragment } from '../operations.ts';
import { countOf, shareOf } from '../ui/format.ts';
import type { Series } from '../ui/charts.tsx';

/** How many of a run's members are in each state. */
export type Counts = Pick<RunCountsFragment, 'eligible' | (typeof states)[number]['key']>;

/** The six states of a run's members, from done to not yet. They sum to those who are eligible. */
export const states = [
  { key: 'answered', label: 'Answered', colour: 'good' },
  { key: 'unanswered', label: 'Unanswered', colour: 'warn' },
  { key: 'failed', label: 'Failed', colour: 'bad' },
  { key: 'cancelled', label: 'Cancelled', colour: 'muted' },
  { key: 'inFlight', label: 'In flight', colour: 'busy' },
  { key: 'pending', label: 'Pending', colour: 'line' },
] as const satisfies Series[];

/** How far a run has come: one bar, and its numbers. */
export function Progress({ run, isBrief = false }: { run: Counts; isBrief?: boolean }) {
  const done = run.eligible - run.pending - run.inFlight;
  return (
    <div className="progress">
      <div className="bars" aria-hidden="true">
        {states.map(({ key, colour }) =>
          run[key] > 0 ? (
            <span
              key={key}
              className={`of-${colour}`}
              style={{ width: `${(run[key] / run.eligible) * 100}%` }}
            />
          ) : null,
        )}
      </div>
      {isBrief ? (
        <small>
          {run.eligible === 0
            ? 'Nobody to call'
            : `${shareOf(done, run.eligible)} of ${countOf(run.eligible)} done`}
        </small>
      ) : (
        <dl className="states">
          {states.map(({ key, label, colour }) => (
            <div key={key} data-state={key}>
              <dt>
                <span className={`swatch of-${colour}`} aria-hidden="true" />
                {label}
              </dt>
              <dd>{countOf(run[key])}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}
