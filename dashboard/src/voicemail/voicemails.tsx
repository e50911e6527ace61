import { useState } from 'react';
import { Link } from 'wouter';
import { useLive } from '../live/use-live.ts';
import { VoicemailsDocument, type VoicemailsQuery, type VoicemailStatus } from '../operations.ts';
import { Choice } from '../ui/fields.tsx';
import { phoneOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';

const options: { value: VoicemailStatus | 'ALL'; label: string }[] = [
  { value: 'ALL', label: 'All' },
  { value: 'PENDING', label: 'Under way' },
  { value: 'DELIVERED', label: 'Delivered' },
  { value: 'NOT_DELIVERED', label: 'Not delivered' },
  { value: 'SKIPPED', label: 'Skipped' },
  { value: 'FAILED', label: 'Failed' },
];

/** Voicemails that were left, or not, and why. */
export function Voicemails() {
  const [status, setStatus] = useState<VoicemailStatus | 'ALL'>('ALL');
  const [pages, setPages] = useState<string[]>([]);
  const { data, error } = useLive(
    VoicemailsDocument,
    { status: status === 'ALL' ? null : status, after: pages.at(-1) ?? null },
    { concerns: ({ entityType }) => entityType === 'VOICEMAIL' },
  );
  const found = data?.voicemails;
  const choose = (value: VoicemailStatus | 'ALL') => {
    setStatus(value);
    setPages([]);
  };
  return (
    <div>
      <h1>Voicemails</h1>
      {error ? <Problem message={error.message} /> : null}
      <Panel
        title="Left without ringing"
        note="The newest first"
        actions={<Choice label="Show" value={status} options={options} onChange={choose} />}
      >
        {found ? (
          <Rows rows={found.edges.map(({ node }) => node)} />
        ) : error ? null : (
          <Loading what="voicemails" />
        )}
        <div className="body actions">
          {pages.length > 0 ? <Button onPress={() => setPages(pages.slice(0, -1))}>Newer</Button> : null}
          {found?.pageInfo.hasNextPage ? (
            <Button onPress={() => setPages([...pages, found.pageInfo.endCursor!])}>Older</Button>
          ) : null}
        </div>
      </Panel>
    </div>
  );
}

type Row = VoicemailsQuery['voicemails']['edges'][number]['node'];

function Rows({ rows }: { rows: Row[] }) {
  if (rows.length === 0) {
    return (
      <Empty title="No voicemail of that kind.">Tasks leave them where a call cannot reach somebody.</Empty>
    );
  }
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">To</th>
          <th scope="col">Status</th>
          <th scope="col">Recording</th>
          <th scope="col">Why not</th>
          <th scope="col">When</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, patient, phoneTo, status, audio, failureReason, createdAt }) => (
          <tr key={id} data-voicemail={id} data-status={status}>
            <th scope="row">
              <Link href={`/patients/${patient.id}`}>{patient.name}</Link>
              <small> {phoneOf(phoneTo)}</small>
            </th>
            <td>
              <Pill status={status} />
            </td>
            <td>{`${audio.name}, ${Math.round(audio.durationSeconds)} s`}</td>
            <td>{failureReason ?? ''}</td>
            <td>
              <When at={createdAt} zone={patient.timeZone} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
