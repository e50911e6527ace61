import { useState } from 'react';
import { now } from '../live/clock.ts';
import { useLive } from '../live/use-live.ts';
import { MayContactDocument, type Channel, type Purpose } from '../operations.ts';
import { channels, Choice, MomentInput, purposes } from '../ui/fields.tsx';
import { viewerZone } from '../ui/format.ts';
import { Loading, Panel, Problem } from '../ui/parts.tsx';
import { instantOf, wallOf } from '../ui/zone.ts';
import { Decision } from './decision.tsx';

/** May we call? Now, or at a chosen time, with the reasons in words. */
export function MayContact({ id, zone }: { id: string; zone: string | null }) {
  const [channel, setChannel] = useState<Channel>('VOICE');
  const [purpose, setPurpose] = useState<Purpose>('CARE_PLAN');
  const [when, setWhen] = useState<'now' | 'then'>('now');
  const [wall, setWall] = useState(() => wallOf(now() + 3_600_000, zone ?? viewerZone));
  const at = when === 'then' && wall ? instantOf(wall, zone ?? viewerZone) : null;
  const { data, error } = useLive(
    MayContactDocument,
    { id, channel, purpose, at },
    { concerns: (change) => change.patient?.id === id, everyMs: 800 },
  );
  const decision = data?.patient?.canContact;
  return (
    <Panel title="May we contact them?">
      <div className="body stack-small">
        <div className="fields">
          <Choice label="How" value={channel} options={channels} onChange={setChannel} />
          <Choice label="What for" value={purpose} options={purposes} onChange={setPurpose} />
          <Choice label="When" value={when} options={times} onChange={setWhen} />
          {when === 'then' ? <MomentInput label="At" value={wall} onChange={setWall} zone={zone} /> : null}
        </div>
        {error ? <Problem message={error.message} /> : null}
        {decision ? <Decision decision={decision} /> : error ? null : <Loading what="the answer" />}
      </div>
    </Panel>
  );
}

const times = [
  { value: 'now', label: 'Now' },
  { value: 'then', label: 'At a time' },
] as const;
