import { lazy, Suspense } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { CampaignPreviewDocument, type CampaignPreviewQuery } from '../operations.ts';
import { countOf, momentOf, timeOf } from '../ui/format.ts';
import { Button, Loading, Panel, Problem, When } from '../ui/parts.tsx';
import { blocks } from '../ui/words.ts';

const Columns = lazy(() => import('../ui/charts.tsx').then(({ Columns }) => ({ default: Columns })));

/** What a run started now would do, without doing it. */
export function Preview({ id, zone }: { id: string; zone: string }) {
  const [{ data, error, fetching }, ask] = useQuery({
    query: CampaignPreviewDocument,
    variables: { id },
    requestPolicy: 'network-only',
  });
  const preview = data?.campaignPreview;
  return (
    <Panel
      title="If it ran now"
      note="Nobody is called for this"
      actions={
        <Button isDisabled={fetching} onPress={() => ask({ requestPolicy: 'network-only' })}>
          Look again
        </Button>
      }
    >
      {error ? <Problem message={error.message} /> : null}
      {preview ? <Told preview={preview} zone={zone} /> : error ? null : <Loading what="the preview" />}
    </Panel>
  );
}

type Row = CampaignPreviewQuery['campaignPreview'];

function Told({ preview, zone }: { preview: Row; zone: string }) {
  const { eligible, exclusions, estimatedFinishAt, finishesInWindow, byHour, sample } = preview;
  const excluded = exclusions.reduce((sum, { count }) => sum + count, 0);
  return (
    <div className="body stack-small">
      <p>
        <strong>{countOf(eligible)}</strong> would be called and <strong>{countOf(excluded)}</strong> left
        out.{' '}
        {estimatedFinishAt ? (
          <>
            It would be done about <When at={estimatedFinishAt} zone={zone} />
            {finishesInWindow ? '.' : ', later than everybody’s hours allow today.'}
          </>
        ) : null}
      </p>
      {excluded > 0 ? <Exclusions exclusions={exclusions} /> : null}
      {byHour.length > 0 ? (
        <Suspense fallback={<Loading what="the load" />}>
          <Columns
            title="Calls by hour, on your clock"
            series={[{ key: 'calls', label: 'Calls', colour: 'accent' }]}
            columns={byHour.map(({ hour, calls }) => ({
              label: byHour.length > 24 ? momentOf(hour) : timeOf(hour),
              calls,
            }))}
          />
        </Suspense>
      ) : null}
      {sample.length > 0 ? (
        <p className="note">
          Among them:{' '}
          {sample.map(({ id, name }, index) => (
            <span key={id}>
              {index > 0 ? ', ' : ''}
              <Link href={`/patients/${id}`}>{name}</Link>
            </span>
          ))}
        </p>
      ) : null}
    </div>
  );
}

/** Who is left out, by reason, with the most common first. */
function Exclusions({ exclusions }: { exclusions: Row['exclusions'] }) {
  const most = Math.max(...exclusions.map(({ count }) => count));
  return (
    <table className="exclusions">
      <caption>Left out</caption>
      <tbody>
        {exclusions
          .toSorted((a, b) => b.count - a.count)
          .map(({ reason, count }) => (
            <tr key={reason} data-reason={reason}>
              <th scope="row">
                {blocks[reason]}
                <span className="bars" aria-hidden="true">
                  <span className="of-muted" style={{ width: `${(count / most) * 100}%` }} />
                </span>
              </th>
              <td className="count">{countOf(count)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}
