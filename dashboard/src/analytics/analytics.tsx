import { useMemo, useState } from 'react';
import { useQuery } from 'urql';
import { useNow } from '../live/clock.ts';
import { StatsDocument, StatsNamesDocument, type StatsGroup, type StatsQuery } from '../operations.ts';
import { Columns, type Column } from '../ui/charts.tsx';
import { Choice } from '../ui/fields.tsx';
import { countOf, lengthOf, shareOf, wordsOf } from '../ui/format.ts';
import { Empty, Figure, Loading, Panel, Problem } from '../ui/parts.tsx';
import { Funnel } from './funnel.tsx';

const spans = [
  { value: '1', label: 'Last day' },
  { value: '7', label: 'Last 7 days' },
  { value: '30', label: 'Last 30 days' },
  { value: '365', label: 'Last year' },
] as const;

const groups: { value: StatsGroup; label: string }[] = [
  { value: 'DAY', label: 'Day' },
  { value: 'CHANNEL', label: 'Channel' },
  { value: 'ORIGIN', label: 'Who asked' },
  { value: 'CAMPAIGN', label: 'Campaign' },
  { value: 'PURPOSE', label: 'Purpose' },
  { value: 'TAG', label: 'Tag' },
  { value: 'SERVICE', label: 'Service' },
];

/** What became of our attempts: how many, whom they reached, and when people answer. */
export function Analytics() {
  const [days, setDays] = useState<(typeof spans)[number]['value']>('7');
  const [groupBy, setGroupBy] = useState<StatsGroup>('DAY');
  // The end of this minute: what is shown grows with the day, and is not asked for anew each second.
  const until = Math.ceil((useNow() + 1) / 60_000) * 60_000;
  const range = useMemo(
    () => ({
      since: new Date(until - Number(days) * 86_400_000).toISOString(),
      until: new Date(until).toISOString(),
    }),
    [days, until],
  );
  return (
    <div>
      <div className="heading">
        <h1>Analytics</h1>
        <Choice label="When" value={days} options={spans} onChange={setDays} />
      </div>
      <Totals range={range} />
      <Panel
        title="Attempts"
        note="Calls, voicemails and texts"
        actions={<Choice label="By" value={groupBy} options={groups} onChange={setGroupBy} />}
      >
        <ByGroup range={range} groupBy={groupBy} />
      </Panel>
      <div className="pair">
        <ByHour range={range} />
        <Funnel range={range} />
      </div>
    </div>
  );
}

/** From when up to when. */
interface Range {
  since: string;
  until: string;
}
type Row = StatsQuery['outreachStats'][number];

function Totals({ range }: { range: Range }) {
  const [{ data }] = useQuery({ query: StatsDocument, variables: { ...range, groupBy: 'CHANNEL' } });
  const sum = (field: 'attempts' | 'answered' | 'voicemails' | 'texts' | 'talkSeconds') =>
    (data?.outreachStats ?? []).reduce((total, row) => total + row[field], 0);
  const calls = sum('attempts') - sum('voicemails') - sum('texts');
  return (
    <dl className="figures">
      <Figure label="Attempts" value={countOf(sum('attempts'))} note={`${countOf(calls)} calls`} />
      <Figure
        label="Answered"
        value={countOf(sum('answered'))}
        note={`${shareOf(sum('answered'), calls)} of the calls`}
      />
      <Figure label="Talked" value={lengthOf(sum('talkSeconds') * 1_000)} note="with people" />
      <Figure
        label="Texts"
        value={countOf(sum('texts'))}
        note={`and ${countOf(sum('voicemails'))} voicemails`}
      />
    </dl>
  );
}

const series = [
  { key: 'answered', label: 'Answered by a person', colour: 'good' },
  { key: 'voicemails', label: 'Voicemails', colour: 'busy' },
  { key: 'texts', label: 'Texts', colour: 'accent' },
  { key: 'failed', label: 'Failed', colour: 'bad' },
  { key: 'rest', label: 'Not answered', colour: 'warn' },
] as const;

function ByGroup({ range, groupBy }: { range: Range; groupBy: StatsGroup }) {
  const [{ data, error }] = useQuery({ query: StatsDocument, variables: { ...range, groupBy } });
  const [{ data: names }] = useQuery({
    query: StatsNamesDocument,
    pause: groupBy !== 'CAMPAIGN' && groupBy !== 'SERVICE',
  });
  if (error) return <Problem message={error.message} />;
  if (!data) return <Loading what="the counts" />;
  if (data.outreachStats.length === 0) return <Empty title="Nobody was contacted in this time." />;
  const known = new Map([
    ...(names?.campaigns.edges.map(({ node }) => [node.id, node.name] as const) ?? []),
    ...(names?.services.map(({ id, name }) => [id, name] as const) ?? []),
  ]);
  return (
    <div className="body">
      <Columns
        title={`Attempts by ${groups.find(({ value }) => value === groupBy)!.label.toLowerCase()}`}
        series={[...series]}
        columns={data.outreachStats
          .slice(0, 60)
          .map((row) => columnOf(row, labelOf(row.key, groupBy, known)))}
      />
    </div>
  );
}

const labelOf = (key: string, groupBy: StatsGroup, known: Map<string, string>) => {
  if (groupBy === 'DAY') return key.slice(5);
  return known.get(key) ?? (groupBy === 'TAG' ? key : wordsOf(key));
};

/** Each attempt in one series: failed texts and voicemails stand with what failed. */
function columnOf(row: Row, label: string): Column {
  const { answered, voicemails, texts, failed, attempts } = row;
  const failedCalls = Math.min(failed, Math.max(0, attempts - answered - voicemails - texts));
  const rest = Math.max(0, attempts - answered - voicemails - texts - failedCalls);
  return { label, answered, voicemails, texts, failed: failedCalls, rest };
}

function ByHour({ range }: { range: Range }) {
  const [{ data, error }] = useQuery({ query: StatsDocument, variables: { ...range, groupBy: 'HOUR' } });
  const rows = data?.outreachStats ?? [];
  return (
    <Panel title="When people answer" note="By the hour of the person’s own day">
      {error ? <Problem message={error.message} /> : null}
      {data && rows.length === 0 ? <Empty title="Nobody was called in this time." /> : null}
      {rows.length > 0 ? (
        <div className="body">
          <Columns
            title="Calls that a person answered"
            series={[{ key: 'rate', label: 'Answer rate', colour: 'accent' }]}
            columns={rows.map(({ key, answerRate }) => ({
              label: `${key.padStart(2, '0')}:00`,
              rate: answerRate,
            }))}
            percent
          />
        </div>
      ) : null}
    </Panel>
  );
}
