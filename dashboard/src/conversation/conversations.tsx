import { Link, useParams } from 'wouter';
import { useLive } from '../live/use-live.ts';
import { ConversationsDocument, type ConversationsQuery } from '../operations.ts';
import { Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { Conversation } from './conversation.tsx';

type Event = ConversationsQuery['events']['edges'][number]['node'];

/** The newest conversations, and the one that was chosen. */
export function Conversations() {
  const { id } = useParams<{ id?: string }>();
  const { data, error } = useLive(
    ConversationsDocument,
    {},
    { concerns: ({ entityType }) => entityType === 'CONVERSATION' },
  );
  const newest = data && newestOf(data.events.edges.map(({ node }) => node));
  return (
    <div>
      <h1>Conversations</h1>
      {error ? <Problem message={error.message} /> : null}
      <div className="pair">
        <Panel title="By text" note="Those in which something was written last">
          {newest ? <List newest={newest} chosen={id} /> : error ? null : <Loading what="conversations" />}
        </Panel>
        {id ? <Conversation id={id} key={id} /> : null}
      </div>
    </div>
  );
}

/** The newest event of each conversation: the API tells them by their events. */
const newestOf = (events: Event[]): Event[] =>
  [...new Map(events.toReversed().map((event) => [event.entityId, event])).values()].toSorted((a, b) =>
    b.recordedAt.localeCompare(a.recordedAt),
  );

function List({ newest, chosen }: { newest: Event[]; chosen: string | undefined }) {
  if (newest.length === 0) {
    return <Empty title="Nobody has texted yet.">Tasks text those who are best reached that way.</Empty>;
  }
  return (
    <ul className="cards lineage">
      {newest.map(({ entityId, patient, summary, recordedAt, type }) => (
        <li key={entityId} aria-current={entityId === chosen ? 'true' : undefined}>
          <Pill {...pillOf(type)} />
          <div className="what">
            <Link href={`/conversations/${entityId}`}>{patient?.name ?? 'Somebody'}</Link>
            <small>{summary}</small>
          </div>
          <When at={recordedAt} />
        </li>
      ))}
    </ul>
  );
}

/** Whose turn it is, by what was last. */
function pillOf(type: string) {
  if (type === 'message.received') return { status: 'They wrote', tone: 'busy' } as const;
  if (type === 'conversation.closed') return { status: 'CLOSED' } as const;
  return { status: 'We wrote', tone: 'quiet' } as const;
}
