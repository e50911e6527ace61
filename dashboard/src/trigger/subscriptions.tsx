import { useEffect } from 'react';
import { useQuery } from 'urql';
import { RedeliverDocument, SubscriptionsDocument, type SubscriptionsQuery } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';

type Subscription = SubscriptionsQuery['eventSubscriptions'][number];
type Delivery = Subscription['deliveries']['edges'][number]['node'];

/** How often deliveries are looked at again, in milliseconds: they are no events of the workspace. */
const everyMs = 5_000;

/** Which other systems are told of events, and what did not get there. */
export function Subscriptions() {
  const [{ data, error }, ask] = useQuery({ query: SubscriptionsDocument });
  useEffect(() => {
    const timer = setInterval(() => ask({ requestPolicy: 'network-only' }), everyMs);
    return () => clearInterval(timer);
  }, [ask]);
  const again = () => ask({ requestPolicy: 'network-only' });
  return (
    <Panel title="Deliveries" note="Events that are posted to other systems">
      {error ? <Problem message={error.message} /> : null}
      {data?.eventSubscriptions.length === 0 ? <Empty title="No other system is told of events." /> : null}
      {data || error ? null : <Loading what="deliveries" />}
      {data?.eventSubscriptions.map((subscription) => (
        <One key={subscription.id} subscription={subscription} onDone={again} />
      ))}
    </Panel>
  );
}

function One({ subscription, onDone }: { subscription: Subscription; onDone: () => void }) {
  const deliveries = subscription.deliveries.edges.map(({ node }) => node);
  const troubled = deliveries.filter(({ status }) => status !== 'DELIVERED');
  const dead = deliveries.filter(({ status }) => status === 'DEAD').length;
  return (
    <div className="subscription">
      <h3>{subscription.url}</h3>
      <p className="note">
        {`${subscription.types.join(', ') || 'every event'}; of the newest ${deliveries.length}: ${dead} given up, ${troubled.length - dead} waiting`}
      </p>
      <ul className="cards">
        {troubled.map((delivery) => (
          <Letter key={delivery.id} delivery={delivery} onDone={onDone} />
        ))}
      </ul>
    </div>
  );
}

function Letter({ delivery, onDone }: { delivery: Delivery; onDone: () => void }) {
  const { id, status, attempts, lastStatusCode, lastError, nextAttemptAt, event } = delivery;
  const redeliver = useAction(RedeliverDocument);
  const why = lastError ?? (lastStatusCode === null ? 'not tried yet' : `answered ${lastStatusCode}`);
  return (
    <li data-delivery={id} data-status={status}>
      <Pill status={status} />
      <div className="what">
        <strong>{event.type}</strong>
        <small>{`${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}, ${why}`}</small>
        {nextAttemptAt ? (
          <small>
            again <When at={nextAttemptAt} />
          </small>
        ) : null}
        {redeliver.problem ? <Problem message={redeliver.problem} /> : null}
      </div>
      <Button isDisabled={redeliver.isRunning} onPress={() => void redeliver.run({ id }).then(onDone)}>
        Deliver again
      </Button>
    </li>
  );
}
