import { useState } from 'react';
import { RevokeConsentDocument, SetPreferencesDocument, type Channel } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { channels, Choice, Choices, TextInput } from '../ui/fields.tsx';
import { dayOf, phoneOf, wordsOf } from '../ui/format.ts';
import { Empty, Panel, Pill } from '../ui/parts.tsx';
import type { PatientRow } from './patient.tsx';
import { care, RecordConsent } from './record-consent.tsx';

const words = (names: readonly string[]) => names.map(wordsOf).join(', ');
const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** What someone agreed to, and how and when they want to be reached. */
export function Consents({ patient }: { patient: PatientRow }) {
  const { preferences, consents } = patient;
  const windows = preferences.windows.map(
    ({ weekdays, opensAt, closesAt }) =>
      `${weekdays.length === 0 ? 'every day' : weekdays.map((day) => days[day - 1]).join(', ')} ${opensAt} to ${closesAt}`,
  );
  return (
    <Panel
      title="Consents and preferences"
      actions={
        <div className="actions">
          <Prefer patient={patient} />
          <RecordConsent patient={patient} />
          <Revoke patient={patient} />
        </div>
      }
    >
      <dl className="terms body">
        <div>
          <dt>Prefers</dt>
          <dd>
            {preferences.preferredChannel ? wordsOf(preferences.preferredChannel) : 'nothing in particular'}
          </dd>
        </div>
        <div>
          <dt>Does not want</dt>
          <dd>{words(preferences.blockedChannels) || 'nothing in particular'}</dd>
        </div>
        <div>
          <dt>When</dt>
          <dd>{windows.join('; ') || 'any time within the law'}</dd>
        </div>
      </dl>
      {consents.length === 0 ? <Empty title="No consent is on record for their number." /> : null}
      <ul className="cards">
        {consents.map((consent) => (
          <li key={consent.id}>
            <Pill
              status={consent.revokedAt ? 'Revoked' : 'In force'}
              tone={consent.revokedAt ? 'bad' : 'good'}
            />
            <div className="what">
              <strong>{`${words(consent.channels)} at ${phoneOf(consent.phone)}`}</strong>
              <small>{`${wordsOf(consent.basis)}: ${consent.method}, ${dayOf(consent.grantedAt)}`}</small>
              <small>
                {consent.purposes.length >= care.length ? 'Any matter of care' : words(consent.purposes)}
              </small>
              {consent.revokedAt ? (
                <small>{`Revoked ${dayOf(consent.revokedAt)}: ${consent.revocation ?? ''}`}</small>
              ) : null}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Revoke({ patient }: { patient: PatientRow }) {
  const [reason, setReason] = useState('');
  const [refused, setRefused] = useState<Channel[]>(channels.map(({ value }) => value));
  const action = useAction(RevokeConsentDocument);
  return (
    <FormDialog
      label="Revoke consent"
      look="danger"
      title={`${patient.name} does not want to be contacted`}
      submit="Revoke"
      action={action}
      onSubmit={async () => (await action.run({ id: patient.id, channels: refused, reason })) !== null}
    >
      <p>It is in effect at once; what is queued for them by these ways is cancelled.</p>
      <Choices
        name="channels"
        label="By none of these"
        values={refused}
        options={channels}
        onChange={setRefused}
      />
      <TextInput name="reason" label="What they said" value={reason} onChange={setReason} isRequired />
    </FormDialog>
  );
}

function Prefer({ patient }: { patient: PatientRow }) {
  const { preferences } = patient;
  const window = preferences.windows[0];
  const [preferred, setPreferred] = useState<Channel | 'ANY'>(preferences.preferredChannel ?? 'ANY');
  const [blocked, setBlocked] = useState<Channel[]>([...preferences.blockedChannels]);
  const [opensAt, setOpensAt] = useState(window?.opensAt ?? '');
  const [closesAt, setClosesAt] = useState(window?.closesAt ?? '');
  const action = useAction(SetPreferencesDocument);
  const submit = async () => {
    const windows = opensAt && closesAt ? [{ weekdays: window?.weekdays ?? [], opensAt, closesAt }] : [];
    const input = {
      preferredChannel: preferred === 'ANY' ? null : preferred,
      blockedChannels: blocked,
      windows,
    };
    return (await action.run({ id: patient.id, input })) !== null;
  };
  return (
    <FormDialog
      label="Change"
      title={`How ${patient.name} wants to be reached`}
      submit="Keep"
      action={action}
      onSubmit={submit}
    >
      <Choice
        label="Prefers"
        value={preferred}
        options={[{ value: 'ANY', label: 'Nothing in particular' }, ...channels]}
        onChange={setPreferred}
      />
      <Choices
        name="blockedChannels"
        label="Does not want"
        values={blocked}
        options={channels}
        onChange={setBlocked}
      />
      <div className="fields">
        <TextInput
          type="time"
          name="windows"
          label="From, on their clock"
          value={opensAt}
          onChange={setOpensAt}
        />
        <TextInput type="time" label="Until" value={closesAt} onChange={setClosesAt} />
      </div>
    </FormDialog>
  );
}
