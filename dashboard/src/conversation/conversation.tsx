import { useState, type FormEvent } from 'react';
import { Link } from 'wouter';
import { useLive } from '../live/use-live.ts';
import {
  CloseConversationDocument,
  ConversationDocument,
  SendMessageDocument,
  type ConversationQuery,
  type DecisionFragment,
} from '../operations.ts';
import { Decision } from '../patient/decision.tsx';
import { useAction } from '../ui/action.ts';
import { TextInput } from '../ui/fields.tsx';
import { phoneOf, wordsOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';

type Row = NonNullable<ConversationQuery['conversation']>;
type Message = Row['messages']['edges'][number]['node'];

/** What was written to and fro, and a line to answer with. */
export function Conversation({ id }: { id: string }) {
  const { data, error, fetching } = useLive(
    ConversationDocument,
    { id },
    { concerns: ({ entityId }) => entityId === id, everyMs: 150 },
  );
  const close = useAction(CloseConversationDocument);
  const conversation = data?.conversation;
  if (!conversation) {
    if (error) return <Problem message={error.message} />;
    return fetching ? (
      <Loading what="the conversation" />
    ) : (
      <Empty title="This conversation is not known here." />
    );
  }
  const { patient, reason, phone, status, messages } = conversation;
  const isOpen = status === 'ACTIVE';
  return (
    <Panel
      title={patient.name}
      note={
        <>
          <Link href={`/patients/${patient.id}`}>{phoneOf(phone)}</Link>
          {`, ${reason}`}
        </>
      }
      actions={
        isOpen ? (
          <Button isDisabled={close.isRunning} onPress={() => void close.run({ id })}>
            Close
          </Button>
        ) : (
          <Pill status={status} />
        )
      }
    >
      <ol className="talk">
        {messages.edges.map(({ node }) => (
          <Line key={node.id} message={node} zone={patient.timeZone} />
        ))}
      </ol>
      {close.problem ? <Problem message={close.problem} /> : null}
      {isOpen ? <Answer id={id} /> : null}
    </Panel>
  );
}

function Line({ message, zone }: { message: Message; zone: string | null }) {
  const { direction, body, status, at, failureReason } = message;
  const state = failureReason ? `${wordsOf(status)}: ${wordsOf(failureReason)}` : wordsOf(status);
  return (
    <li className={direction === 'OUTBOUND' ? 'ours' : 'theirs'}>
      <p>{body}</p>
      <small>
        <When at={at} zone={zone} />
        {direction === 'OUTBOUND' ? `, ${state.toLowerCase()}` : ''}
      </small>
    </li>
  );
}

function Answer({ id }: { id: string }) {
  const [body, setBody] = useState('');
  const send = useAction(SendMessageDocument);
  const refused = send.refusal as { decision?: DecisionFragment } | null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void send.run({ id, body }).then((done) => done && setBody(''));
  };
  return (
    <form className="body answer-line" onSubmit={submit}>
      <TextInput label="Answer" value={body} onChange={setBody} isRequired maxLength={1_600} />
      <Button type="submit" look="main" isDisabled={send.isRunning}>
        Send
      </Button>
      {refused?.decision ? <Decision decision={refused.decision} /> : null}
      {send.problem && !refused?.decision ? <Problem message={send.problem} /> : null}
    </form>
  );
}
