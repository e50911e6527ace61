import { useState } from 'react';
import { useQuery } from 'urql';
import { NumbersDocument, RegisterNumberDocument, type NumbersQuery } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { TextInput } from '../ui/fields.tsx';
import { phoneOf, wordsOf } from '../ui/format.ts';
import { Empty, Loading, Panel, Pill, Problem } from '../ui/parts.tsx';

/** Our own numbers, who speaks on them, and what they are used for. */
export function Numbers() {
  const [{ data, error }, ask] = useQuery({ query: NumbersDocument });
  const again = () => ask({ requestPolicy: 'network-only' });
  return (
    <div>
      <div className="heading">
        <h1>Numbers</h1>
        <Register onDone={again} />
      </div>
      {error ? <Problem message={error.message} /> : null}
      {data ? <Told data={data} /> : error ? null : <Loading what="numbers" />}
    </div>
  );
}

function Told({ data }: { data: NumbersQuery }) {
  const { phoneNumbers, services, useCases: cases } = data;
  return (
    <>
      <Panel title="Caller IDs" note="What people see when we call">
        {phoneNumbers.length === 0 ? (
          <Empty title="There is no number yet.">Without one nobody can be called.</Empty>
        ) : (
          <NumberTable numbers={phoneNumbers} />
        )}
      </Panel>
      <div className="pair">
        <Panel title="Services" note="Who speaks, and how they greet">
          {services.length === 0 ? <Empty title="There is no service yet." /> : null}
          <ul className="cards">
            {services.map(({ id, name, greeting, active, isDefault }) => (
              <li key={id}>
                <Pill status={active ? 'ACTIVE' : 'INACTIVE'} />
                <div className="what">
                  <strong>{isDefault ? `${name} (used by default)` : name}</strong>
                  <small>{greeting}</small>
                </div>
              </li>
            ))}
          </ul>
        </Panel>
        <Panel title="Use cases" note="Which numbers serve what">
          {cases.length === 0 ? <Empty title="There is no use case yet." /> : null}
          <ul className="cards">
            {cases.map(({ id, name, channel, numbers }) => (
              <li key={id}>
                <Pill status={wordsOf(channel)} tone="quiet" />
                <div className="what">
                  <strong>{name}</strong>
                  <small>{numbers.map(({ phone }) => phoneOf(phone)).join(', ') || 'no number'}</small>
                </div>
              </li>
            ))}
          </ul>
        </Panel>
      </div>
    </>
  );
}

function NumberTable({ numbers }: { numbers: NumbersQuery['phoneNumbers'] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Number</th>
          <th scope="col">Status</th>
          <th scope="col">Can</th>
          <th scope="col">Service</th>
          <th scope="col">Use cases</th>
        </tr>
      </thead>
      <tbody>
        {numbers.map(
          ({ id, phone, label, active, voice, text, service, useCases: cases, voicemailSender }) => (
            <tr key={id}>
              <th scope="row">
                {phoneOf(phone)}
                {label ? <small> {label}</small> : null}
              </th>
              <td>
                <Pill status={active ? 'ACTIVE' : 'INACTIVE'} />
              </td>
              <td>
                {[
                  voice ? 'call' : null,
                  text ? 'text' : null,
                  voicemailSender === 'REGISTERED' ? 'voicemail' : null,
                ]
                  .filter(Boolean)
                  .join(', ')}
              </td>
              <td>{service?.name ?? 'the default'}</td>
              <td>{cases.map(({ name }) => name).join(', ') || 'none'}</td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  );
}

function Register({ onDone }: { onDone: () => void }) {
  const [phone, setPhone] = useState('+1');
  const [label, setLabel] = useState('');
  const [voice, setVoice] = useState(true);
  const [text, setText] = useState(false);
  const action = useAction(RegisterNumberDocument);
  const submit = async () => {
    const done = await action.run({
      input: { phone: phone.replaceAll(/[^+\d]/g, ''), label: label || null, voice, text },
    });
    if (done) onDone();
    return done !== null;
  };
  return (
    <FormDialog
      label="Register a number"
      look="main"
      title="Register a number of ours"
      submit="Register"
      action={action}
      onSubmit={submit}
    >
      <TextInput
        name="phone"
        type="tel"
        label="Number, with its country"
        value={phone}
        onChange={setPhone}
        isRequired
        maxLength={24}
      />
      <TextInput name="label" label="Label" value={label} onChange={setLabel} maxLength={100} />
      <fieldset>
        <legend>Can</legend>
        <label className="check">
          <input type="checkbox" checked={voice} onChange={() => setVoice(!voice)} />
          Call
        </label>
        <label className="check">
          <input type="checkbox" checked={text} onChange={() => setText(!text)} />
          Text
        </label>
      </fieldset>
    </FormDialog>
  );
}
