import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { useLive } from '../live/use-live.ts';
import { ConversationsDocument, type ConversationFilter, type ConversationsQuery } from '../operations.ts';
import { Choice } from '../ui/fields.tsx';
import { countOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { Conversation } from './conversation.tsx';
import { Parked } from './parked.tsx';

type Row = ConversationsQuery['conversations']['edges'][number]['node'];

const filters = {
  all: { label: 'All', filter: null },
  unanswered: { label: 'To be answered', filter: { unanswered: true } },
  open: { label: 'Open', filter: { statuses: ['ACTIVE'] } },
  closed: { label: 'Closed', filter: { statuses: ['CLOSED'] } },
} as const satisfies Record<string, { label: string; filter: ConversationFilter | null }>;
type Filter = keyof typeof filters;
const options = Object.entries(filters).map(([value, { label }]) => ({ value: value as Filter, label }));

/** Conversations by text, texts of strangers, and the conversation that was chosen. */
export function Conversations() {
  const { id } = useParams<{ id?: string }>();
  return (
    <div>
      <h1>Conversations</h1>
      <div className="pair">
        <div className="stack">
          <List chosen={id} />
          <Parked />
        </div>
        {id ? (
          <Conversation id={id} key={id} />
        ) : (
          <Panel title="A conversation">
            <Empty title="None is chosen.">Choose one to read it, and to answer.</Empty>
          </Panel>
        )}
      </div>
    </div>
  );
}

function List({ chosen }: { chosen: string | undefined }) {
  const [filter, setFilter] = useState<Filter>('all');
  const [pages, setPages] = useState<string[]>([]);
  const { data, error } = useLive(
    ConversationsDocument,
    { filter: filters[filter].filter, after: pages.at(-1) ?? null },
    { concerns: ({ entityType }) => entityType === 'CONVERSATION' },
  );
  const found = data?.conversations;
  const choose = (value: Filter) => {
    setFilter(value);
    setPages([]);
  };
  return (
    <Panel
      title="By text"
      note={found ? `${countOf(found.totalCount)}, the newest first` : 'The newest first'}
      actions={<Choice label="Show" value={filter} options={options} onChange={choose} />}
    >
      {error ? <Problem message={error.message} /> : null}
      {found || error ? null : <Loading what="conversations" />}
      {found?.edges.length === 0 ? (
        <Empty
          title={filter === 'unanswered' ? 'Everybody has been answered.' : 'There is none of that kind.'}
        >
          Tasks text those who are best reached that way; you can text somebody from their own page.
        </Empty>
      ) : null}
      <ul className="cards lineage">
        {found?.edges.map(({ node }) => (
          <Entry key={node.id} conversation={node} isChosen={node.id === chosen} />
        ))}
      </ul>
      <div className="body actions">
        {pages.length > 0 ? <Button onPress={() => setPages(pages.slice(0, -1))}>Newer</Button> : null}
        {found?.pageInfo.hasNextPage ? (
          <Button onPress={() => setPages([...pages, found.pageInfo.endCursor!])}>Older</Button>
        ) : null}
      </div>
    </Panel>
  );
}

function Entry({ conversation, isChosen }: { conversation: Row; isChosen: boolean }) {
  const { id, patient, lastMessage, lastMessageAt, reason, isUnanswered, status } = conversation;
  return (
    <li data-conversation={id} data-unanswered={isUnanswered} aria-current={isChosen ? 'true' : undefined}>
      <Pill {...pillOf({ isUnanswered, status })} />
      <div className="what">
        <Link href={`/conversations/${id}`}>{patient.name}</Link>
        <small className="excerpt">
          {lastMessage ? `${lastMessage.direction === 'OUTBOUND' ? 'We: ' : ''}${lastMessage.body}` : reason}
        </small>
      </div>
      <When at={lastMessageAt} zone={patient.timeZone} />
    </li>
  );
}

/** Whose turn it is. */
function pillOf({ isUnanswered, status }: Pick<Row, 'isUnanswered' | 'status'>) {
  if (isUnanswered) return { status: 'They wrote', tone: 'busy' } as const;
  return status === 'CLOSED' ? ({ status } as const) : ({ status: 'We wrote', tone: 'quiet' } as const);
}
