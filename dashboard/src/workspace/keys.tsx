import { useState } from 'react';
import { useQuery } from 'urql';
import { CreateKeyDocument, KeysDocument, RevokeKeyDocument, type KeysQuery } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { TextInput } from '../ui/fields.tsx';
import { Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';

type Row = KeysQuery['apiKeys'][number];

/** The keys of the API: whose they are, what they may do, and when they were used. */
export function Keys() {
  const [{ data, error }, ask] = useQuery({ query: KeysDocument });
  const [secret, setSecret] = useState<string | null>(null);
  const again = () => ask({ requestPolicy: 'network-only' });
  return (
    <div>
      <div className="heading">
        <h1>Keys</h1>
        <CreateKey
          known={data?.apiKeys ?? []}
          onDone={(made) => {
            setSecret(made);
            again();
          }}
        />
      </div>
      {secret ? (
        <output className="told">
          <p>The new key, shown this once. Keep it where secrets are kept.</p>
          <code>{secret}</code>
        </output>
      ) : null}
      {error ? <Problem message={error.message} /> : null}
      <Panel title="All keys">
        {data ? <KeyTable keys={data.apiKeys} onDone={again} /> : error ? null : <Loading what="keys" />}
      </Panel>
    </div>
  );
}

function KeyTable({ keys, onDone }: { keys: Row[]; onDone: () => void }) {
  if (keys.length === 0) return <Empty title="There is no key yet." />;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Status</th>
          <th scope="col">May</th>
          <th scope="col">Last used</th>
          <th scope="col">
            <span className="hidden">What can be done</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <tr key={key.id}>
            <th scope="row">{key.name}</th>
            <td>
              <Pill
                status={key.revokedAt ? 'Revoked' : 'ACTIVE'}
                {...(key.revokedAt ? { tone: 'bad' } : {})}
              />
            </td>
            <td>
              <small>{key.scopes.length > 12 ? 'everything' : key.scopes.join(', ')}</small>
            </td>
            <td>{key.lastUsedAt ? <When at={key.lastUsedAt} /> : 'never'}</td>
            <td>{key.revokedAt ? null : <Revoke apiKey={key} onDone={onDone} />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Revoke({ apiKey, onDone }: { apiKey: Row; onDone: () => void }) {
  const action = useAction(RevokeKeyDocument);
  const submit = async () => {
    const done = await action.run({ id: apiKey.id });
    if (done) onDone();
    return done !== null;
  };
  return (
    <FormDialog
      label="Revoke"
      look="danger"
      title={`Revoke ${apiKey.name}?`}
      submit="Revoke"
      problem={action.problem}
      isRunning={action.isRunning}
      onSubmit={submit}
    >
      <p>
        Whatever uses it is cut off within a second, this page included if it is the one you signed in with.
      </p>
    </FormDialog>
  );
}

function CreateKey({ known, onDone }: { known: Row[]; onDone: (secret: string) => void }) {
  const scopes = [...new Set(known.flatMap((key) => key.scopes))].toSorted();
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<string[]>([]);
  const action = useAction(CreateKeyDocument);
  const toggle = (scope: string) =>
    setChosen(chosen.includes(scope) ? chosen.filter((one) => one !== scope) : [...chosen, scope]);
  const submit = async () => {
    const data = await action.run({ name, scopes: chosen });
    if (data?.createApiKey?.__typename !== 'ApiKeyPayload') return false;
    onDone(data.createApiKey.secret ?? '');
    return true;
  };
  return (
    <FormDialog
      label="New key"
      look="main"
      title="New key"
      submit="Make the key"
      problem={action.problem}
      isRunning={action.isRunning}
      onOpen={action.forget}
      onSubmit={submit}
    >
      <TextInput label="Whose it is" value={name} onChange={setName} isRequired maxLength={100} />
      <fieldset className="scopes">
        <legend>May</legend>
        {scopes.map((scope) => (
          <label key={scope} className="check">
            <input type="checkbox" checked={chosen.includes(scope)} onChange={() => toggle(scope)} />
            {scope}
          </label>
        ))}
      </fieldset>
    </FormDialog>
  );
}
