import { useState } from 'react';
import { useQuery } from 'urql';
import { CreateKeyDocument, KeysDocument, RevokeKeyDocument, type KeysQuery } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { Choices, TextInput } from '../ui/fields.tsx';
import { Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';

type Row = KeysQuery['apiKeys'][number];

/** The keys of the API: whose they are, what they may do, and when they were used. */
export function Keys() {
  const [{ data, error }, ask] = useQuery({ query: KeysDocument });
  const [secret, setSecret] = useState<string | null>(null);
  const again = () => ask({ requestPolicy: 'network-only' });
  const made = (told: string) => {
    setSecret(told);
    again();
  };
  return (
    <div>
      <div className="heading">
        <h1>Keys</h1>
        <CreateKey known={data?.apiKeys ?? []} onDone={made} />
      </div>
      {secret ? (
        <output className="told">
          <p>The new key, shown this once. Keep it where secrets are kept.</p>
          <code>{secret}</code>
        </output>
      ) : null}
      {error ? <Problem message={error.message} /> : null}
      <Panel title="All keys">
        {data ? (
          <KeyTable keys={data.apiKeys} onMade={made} onDone={again} />
        ) : error ? null : (
          <Loading what="keys" />
        )}
      </Panel>
    </div>
  );
}

function KeyTable(props: { keys: Row[]; onMade: (secret: string) => void; onDone: () => void }) {
  const { keys, onMade, onDone } = props;
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
            <td>
              {key.revokedAt ? null : (
                <div className="actions">
                  <Replace apiKey={key} onDone={onMade} />
                  <Revoke apiKey={key} onDone={onDone} />
                </div>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Makes another key that may do the same; the one before goes on until it is revoked. */
function Replace({ apiKey, onDone }: { apiKey: Row; onDone: (secret: string) => void }) {
  const action = useAction(CreateKeyDocument);
  const submit = async () => {
    const data = await action.run({ name: apiKey.name, scopes: apiKey.scopes });
    if (data?.createApiKey?.__typename !== 'ApiKeyPayload') return false;
    onDone(data.createApiKey.secret ?? '');
    return true;
  };
  return (
    <FormDialog
      label="Replace"
      title={`Replace ${apiKey.name}?`}
      submit="Make the new one"
      action={action}
      onSubmit={submit}
    >
      <p>Another key is made that may do the same. Revoke this one once nothing uses it any more.</p>
    </FormDialog>
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
      action={action}
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
      action={action}
      onSubmit={submit}
    >
      <TextInput name="name" label="Whose it is" value={name} onChange={setName} isRequired maxLength={100} />
      <Choices
        name="scopes"
        label="May"
        values={chosen}
        options={scopes.map((scope) => ({ value: scope, label: scope }))}
        onChange={setChosen}
      />
    </FormDialog>
  );
}
