import { useDeferredValue, useEffect, useState } from 'react';
import { useQuery } from 'urql';
import { useLocation } from 'wouter';
import {
  AssignTextsDocument,
  DismissTextsDocument,
  FindPatientsDocument,
  ParkedTextsDocument,
  type ParkedTextsQuery,
} from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { TextInput } from '../ui/fields.tsx';
import { countOf, dateOf, phoneOf } from '../ui/format.ts';
import { Panel, Problem, When } from '../ui/parts.tsx';

type Text = ParkedTextsQuery['parkedTexts']['edges'][number]['node'];

/** How often it is looked again, in milliseconds: a text of a stranger is no event of the workspace. */
const everyMs = 5_000;

/** Texts of whom nobody knows, until somebody says whose they are or puts them away. */
export function Parked() {
  const [{ data, error }, ask] = useQuery({ query: ParkedTextsDocument, requestPolicy: 'cache-and-network' });
  useEffect(() => {
    const timer = setInterval(() => ask({ requestPolicy: 'network-only' }), everyMs);
    return () => clearInterval(timer);
  }, [ask]);
  const texts = data?.parkedTexts.edges.map(({ node }) => node) ?? [];
  if (error) return <Problem message={error.message} />;
  if (texts.length === 0) return null;
  const lines = Map.groupBy(texts.toReversed(), ({ phone, phoneFrom }) => `${phone} ${phoneFrom}`);
  return (
    <Panel
      title="Who wrote this?"
      note={`${countOf(data!.parkedTexts.totalCount)} texts from numbers of nobody, or of several`}
    >
      <ul className="cards">
        {[...lines].map(([line, own]) => (
          <Line key={line} texts={own} onDone={() => ask({ requestPolicy: 'network-only' })} />
        ))}
      </ul>
    </Panel>
  );
}

/** What came from one number to one of ours, oldest first. */
function Line({ texts, onDone }: { texts: Text[]; onDone: () => void }) {
  const [first] = texts as [Text];
  const dismiss = useAction(DismissTextsDocument);
  const ids = texts.map(({ id }) => id);
  const put = async () => {
    const done = await dismiss.run({ ids });
    if (done) onDone();
    return done !== null;
  };
  return (
    <li data-parked={first.phone}>
      <strong>{phoneOf(first.phone)}</strong>
      <div className="what">
        {texts.map(({ id, body, at, question }) => (
          <p key={id} className="excerpt">
            {body} <When at={at} />
            {question ? <small> They were asked who writes.</small> : null}
          </p>
        ))}
      </div>
      <div className="actions">
        <Assign texts={texts} />
        <FormDialog
          label="Put away"
          look="danger"
          title={`Put away what ${phoneOf(first.phone)} wrote?`}
          submit="Put away"
          action={dismiss}
          onSubmit={put}
        >
          <p>It is kept, and nobody is asked to answer it any more.</p>
        </FormDialog>
      </div>
    </li>
  );
}

/** Says whose texts they are: somebody who has this number, or who is found by name. */
function Assign({ texts }: { texts: Text[] }) {
  const [, navigate] = useLocation();
  const [first] = texts as [Text];
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);
  const wanted = useDeferredValue(search.trim());
  const assign = useAction(AssignTextsDocument);
  const [{ data }] = useQuery({
    query: FindPatientsDocument,
    variables: { search: wanted, after: null },
    pause: wanted === '',
  });
  const found = wanted ? (data?.patients.edges.map(({ node }) => node) ?? []) : [];
  const people = [
    ...first.people.map(({ id, name }) => ({ id, name, note: 'has this number' })),
    ...found
      .filter(({ id }) => !first.people.some((one) => one.id === id))
      .slice(0, 8)
      .map(({ id, name, birthDate }) => ({ id, name, note: birthDate ? `born ${dateOf(birthDate)}` : '' })),
  ];
  const submit = async () => {
    if (!chosen) return false;
    const told = await assign.run({ ids: texts.map(({ id }) => id), patientId: chosen });
    if (told?.assignParkedTexts?.__typename !== 'ConversationPayload') return false;
    navigate(`/conversations/${told.assignParkedTexts.conversation.id}`);
    return true;
  };
  return (
    <FormDialog
      label="Say who"
      look="main"
      title={`Who writes from ${phoneOf(first.phone)}?`}
      submit="It is them"
      action={assign}
      onSubmit={submit}
    >
      <TextInput type="search" label="Name or end of a number" value={search} onChange={setSearch} />
      <fieldset>
        <legend>Who it is</legend>
        {people.length === 0 ? <small>Look for them by the beginning of their name.</small> : null}
        {people.map(({ id, name, note }) => (
          <label key={id} className="check">
            <input
              type="radio"
              name="patient"
              required
              checked={chosen === id}
              onChange={() => setChosen(id)}
            />
            {note ? `${name}, ${note}` : name}
          </label>
        ))}
      </fieldset>
    </FormDialog>
  );
}
