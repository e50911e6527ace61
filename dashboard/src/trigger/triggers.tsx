import { useLive } from '../live/use-live.ts';
import { SetTriggerActiveDocument, TriggersDocument, type TriggersQuery } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { cityOf, wordsOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { Subscriptions } from './subscriptions.tsx';

type Row = TriggersQuery['triggers'][number];

/** What makes tasks by itself, when it does next, and what was told to other systems. */
export function Triggers() {
  const { data, error } = useLive(
    TriggersDocument,
    {},
    { concerns: ({ entityType }) => entityType === 'TRIGGER', everyMs: 1_000 },
  );
  return (
    <div>
      <h1>Triggers</h1>
      {error ? <Problem message={error.message} /> : null}
      <Panel title="Triggers" note="What makes tasks by itself">
        {data?.triggers.length === 0 ? (
          <Empty title="There is no trigger yet.">One is made with createTrigger of the API.</Empty>
        ) : null}
        {data || error ? null : <Loading what="triggers" />}
        <ul className="cards">
          {data?.triggers.map((trigger) => (
            <Trigger key={trigger.id} trigger={trigger} />
          ))}
        </ul>
      </Panel>
      <Subscriptions />
    </div>
  );
}

function Trigger({ trigger }: { trigger: Row }) {
  const { id, name, active, action, upcoming, timeZone, runs } = trigger;
  const switched = useAction(SetTriggerActiveDocument);
  return (
    <li data-trigger={id} data-active={active}>
      <Pill status={active ? 'ACTIVE' : 'PAUSED'} />
      <div className="what">
        <strong>{name}</strong>
        <small>{`${causeOf(trigger)}: ${action.reason}, by ${wordsOf(action.channel).toLowerCase()}`}</small>
        {active && upcoming.length > 0 ? (
          <span className="next">
            Next{' '}
            {upcoming.map((at) => (
              <When key={at} at={at} zone={timeZone} />
            ))}
          </span>
        ) : null}
        <ul className="runs">
          {runs.edges.map(({ node }) => (
            <li key={node.id}>
              <Pill status={node.status} /> <When at={node.createdAt} />
              {node.error ? <small>{` ${node.error}`}</small> : null}
            </li>
          ))}
        </ul>
        {switched.problem ? <Problem message={switched.problem} /> : null}
      </div>
      <Button isDisabled={switched.isRunning} onPress={() => void switched.run({ id, active: !active })}>
        {active ? 'Pause' : 'Resume'}
      </Button>
    </li>
  );
}

/** What fires a trigger, in words. */
function causeOf({ kind, schedule, timeZone, eventType }: Row): string {
  if (schedule) return `${schedule} in ${cityOf(timeZone)}`;
  return eventType ? `On ${eventType}` : wordsOf(kind);
}
