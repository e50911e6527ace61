import { memo } from 'react';
import { Link } from 'wouter';
import { now, useNow } from '../live/clock.ts';
import { useSession } from '../live/session.tsx';
import { useStore } from '../live/store.ts';
import { awayOf, countOf, phoneOf, shareOf, timeOf, wordsOf } from '../ui/format.ts';
import { Empty, Figure, Loading, LongList, Panel, Pill, Problem, Since, When } from '../ui/parts.tsx';
import { carrierHealth } from './carrier.ts';
import type { Board as BoardState, BoardCall, BoardTask } from './model.ts';
import { QueueTable } from './queue.tsx';

/** What happens right now: calls in flight, what ended, what is ahead, and how the carrier does. */
export function Board() {
  const { board, boardError } = useSession();
  const shown = useStore(board);
  const error = useStore(boardError);
  if (!shown) return error ? <Problem message={error} /> : <Loading what="the board" />;
  return (
    <div className="board">
      <h1>Live board</h1>
      <Figures board={shown} />
      <div className="stack">
        <Panel title="In flight" note={`${countOf(shown.inFlight.length)} under way`}>
          <CallList calls={shown.inFlight} label="Calls in flight">
            Nobody is being called right now.
          </CallList>
        </Panel>
        <Panel title="Ended" note="In the last hour, the newest first">
          <CallList calls={shown.ended} label="Calls that ended">
            No call has ended in the last hour.
          </CallList>
        </Panel>
      </div>
      <Panel title="Queue ahead" note="How many tasks become due, and when">
        <QueueTable />
        <TaskList tasks={shown.ahead} />
      </Panel>
    </div>
  );
}

function Figures({ board }: { board: BoardState }) {
  useNow();
  const talking = board.inFlight.filter(({ status }) => status === 'IN_PROGRESS').length;
  const answered = board.ended.filter(({ status }) => status === 'COMPLETED').length;
  const due = board.ahead.filter(
    ({ nextAttemptAt }) => nextAttemptAt && Date.parse(nextAttemptAt) <= now(),
  ).length;
  const health = carrierHealth(board.carrier, now());
  return (
    <dl className="figures">
      <Figure label="In flight" value={countOf(board.inFlight.length)} note={`${talking} talking`} />
      <Figure
        label="Ended, last hour"
        value={countOf(board.ended.length)}
        note={`${shareOf(answered, board.ended.length)} answered`}
      />
      <Figure label="Due now" value={countOf(due)} note={`${countOf(board.aheadCount)} within the hour`} />
      <Figure label="Carrier" value={health.word} note={health.note} tone={health.tone} />
    </dl>
  );
}

function CallList({ calls, label, children }: { calls: BoardCall[]; label: string; children: string }) {
  if (calls.length === 0) return <Empty title={children} />;
  return (
    <LongList
      label={label}
      items={calls}
      rowHeight={60}
      keyOf={({ id }) => id}
      renderRow={(call) => <CallRow call={call} />}
    />
  );
}

/** One call of a list, drawn again only when it has changed. */
const CallRow = memo(function CallRow({ call }: { call: BoardCall }) {
  return (
    <article className="row" data-call={call.id} data-status={call.status}>
      <Pill status={call.status} />
      <div className="who">
        <Link href={`/patients/${call.patient.id}`}>{call.patient.name}</Link>
        <small>{call.reason}</small>
      </div>
      <small className="aside">{phoneOf(call.phoneTo)}</small>
      <div className="end">
        {call.endedAt ? <When at={call.endedAt} /> : <Since at={call.sinceAt} />}
        <small>{call.endedAt ? endOf(call) : `since ${timeOf(call.sinceAt)}`}</small>
      </div>
    </article>
  );
});

/** How a call ended and why, in few words. */
function endOf({ outcome, endedReason, answeredBy, durationSeconds }: BoardCall): string {
  if (outcome) return wordsOf(outcome);
  const length = durationSeconds === null ? '' : `, ${durationSeconds} s`;
  if (answeredBy && answeredBy !== 'UNKNOWN')
    return `${answeredBy === 'HUMAN' ? 'A person' : wordsOf(answeredBy)}${length}`;
  return `${wordsOf(endedReason ?? 'ended')}${length}`;
}

function TaskList({ tasks }: { tasks: BoardTask[] }) {
  if (tasks.length === 0) return <Empty title="Nothing is due within the hour." />;
  return (
    <LongList
      label="Tasks that are due within the hour"
      items={tasks}
      rowHeight={60}
      keyOf={({ id }) => id}
      renderRow={(task) => <TaskRow task={task} />}
    />
  );
}

const TaskRow = memo(function TaskRow({ task }: { task: BoardTask }) {
  const at = useNow();
  return (
    <article className="row">
      <span className="priority" title={`Priority ${task.priority} of 10; 1 is the most urgent`}>
        {task.priority}
      </span>
      <div className="who">
        <Link href={`/patients/${task.patient.id}`}>{task.patient.name}</Link>
        <small>{task.reason}</small>
      </div>
      <small className="aside">{wordsOf(task.channel)}</small>
      <div className="end">
        {task.nextAttemptAt ? <span className="number">{awayOf(task.nextAttemptAt, at)}</span> : null}
        <small>{`attempt ${task.attempts + 1} of ${task.maxAttempts}`}</small>
      </div>
    </article>
  );
});
