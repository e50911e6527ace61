import { useState } from 'react';
import { now } from '../live/clock.ts';
import { RecordConsentDocument, type Channel, type LegalBasis, type Purpose } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { channels, Choice, Choices, purposes, TextArea, TextInput } from '../ui/fields.tsx';
import { viewerZone } from '../ui/format.ts';
import { instantOf, wallOf } from '../ui/zone.ts';
import type { PatientRow } from './patient.tsx';

/** Whatever is about someone's care, and not about money or selling. */
export const care = purposes
  .map(({ value }) => value)
  .filter((value) => value !== 'BILLING' && value !== 'MARKETING');

const grounds: { value: LegalBasis; label: string }[] = [
  { value: 'PRIOR_EXPRESS', label: 'They gave us the number for this' },
  { value: 'PRIOR_EXPRESS_WRITTEN', label: 'They signed for it' },
];

/** Records that someone has agreed to be contacted: how, for what, and where the proof is. */
export function RecordConsent({ patient }: { patient: PatientRow }) {
  const [phone, setPhone] = useState(patient.phone ?? '+1');
  const [given, setGiven] = useState<Channel[]>(['VOICE', 'TEXT', 'VOICEMAIL']);
  const [matters, setMatters] = useState<Purpose[]>(care);
  const [basis, setBasis] = useState<LegalBasis>('PRIOR_EXPRESS');
  const [proof, setProof] = useState({ method: '', evidence: '' });
  const [wall, setWall] = useState('');
  const action = useAction(RecordConsentDocument);
  const submit = async () => {
    const input = {
      patientId: patient.id,
      phone: phone.replaceAll(/[^+\d]/g, ''),
      channels: given,
      purposes: matters,
      basis,
      method: proof.method,
      evidence: proof.evidence || null,
      grantedAt: wall ? instantOf(wall, viewerZone) : null,
    };
    return (await action.run({ input })) !== null;
  };
  return (
    <FormDialog
      label="Record consent"
      title={`${patient.name} agrees to be contacted`}
      submit="Record"
      action={action}
      onSubmit={submit}
    >
      <TextInput
        name="phone"
        type="tel"
        label="At this number"
        value={phone}
        onChange={setPhone}
        isRequired
      />
      <Choices name="channels" label="By" values={given} options={channels} onChange={setGiven} />
      <Choices name="purposes" label="For" values={matters} options={purposes} onChange={setMatters} />
      <Choice name="basis" label="On what grounds" value={basis} options={grounds} onChange={setBasis} />
      <Proof proof={proof} onChange={setProof} />
      <TextInput
        name="grantedAt"
        type="datetime-local"
        label="When, on your clock"
        value={wall}
        onChange={setWall}
        note={`Left empty: now, ${wallOf(now(), viewerZone).replace('T', ' ')}.`}
      />
    </FormDialog>
  );
}

type Told = { method: string; evidence: string };

/** How someone has agreed, and what shows it. */
function Proof({ proof, onChange }: { proof: Told; onChange: (proof: Told) => void }) {
  return (
    <>
      <TextInput
        name="method"
        label="How they agreed"
        value={proof.method}
        onChange={(method) => onChange({ ...proof, method })}
        placeholder="signed form"
        isRequired
      />
      <TextArea
        name="evidence"
        label="Where the proof is"
        value={proof.evidence}
        onChange={(evidence) => onChange({ ...proof, evidence })}
      />
    </>
  );
}
