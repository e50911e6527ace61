import { lazy } from 'react';
import { useLive } from '../live/use-live.ts';
import {
  ActivateCampaignDocument,
  ArchiveCampaignDocument,
  CampaignDocument,
  PauseCampaignDocument,
  RunCampaignDocument,
  type CampaignQuery,
  type RunCountsFragment,
} from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { cityOf, countOf, wordsOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { EditCampaign } from './edit.tsx';
import { Preview } from './preview.tsx';
import { Progress } from './progress.tsx';

const Runs = lazy(() => import('./runs.tsx').then(({ Runs }) => ({ default: Runs })));

/** A campaign as the view asks for it. */
type Row = NonNullable<CampaignQuery['campaign']>;

/** One campaign: what a run would do, how the present one goes, and how the days compare. */
export function Campaign({ params: { id } }: { params: { id: string } }) {
  const { data, error, fetching } = useLive(
    CampaignDocument,
    { id },
    {
      concerns: ({ entityType }) => entityType === 'CAMPAIGN' || entityType === 'CAMPAIGN_RUN',
      everyMs: 500,
    },
  );
  const campaign = data?.campaign;
  if (!campaign) {
    if (error) return <Problem message={error.message} />;
    return fetching ? <Loading what="the campaign" /> : <Empty title="This campaign is not known here." />;
  }
  const runs = campaign.runs.edges.map(({ node }) => node);
  return (
    <div>
      <Heading campaign={campaign} />
      <div className="pair">
        <div className="stack">
          {runs[0] ? <Run run={runs[0]} zone={campaign.timeZone} /> : null}
          <Settings campaign={campaign} />
        </div>
        <Preview id={id} key={settingsOf(campaign)} zone={campaign.timeZone} />
      </div>
      <Runs runs={runs} />
    </div>
  );
}

/** What a preview depends on: it is asked for again when that changes. */
const settingsOf = ({ runs: _runs, nextRunAt: _next, ...settings }: Row): string => JSON.stringify(settings);

function Heading({ campaign }: { campaign: Row }) {
  const { id, status } = campaign;
  const activate = useAction(ActivateCampaignDocument);
  const pause = useAction(PauseCampaignDocument);
  const run = useAction(RunCampaignDocument);
  const archive = useAction(ArchiveCampaignDocument);
  const problem = activate.problem ?? pause.problem ?? run.problem;
  return (
    <header className="identity">
      <div className="heading" data-status={status}>
        <h1>{campaign.name}</h1>
        <Pill status={status} />
        {status === 'ARCHIVED' ? null : (
          <div className="actions">
            {status === 'ACTIVE' ? (
              <>
                <Button isDisabled={run.isRunning} onPress={() => void run.run({ id })}>
                  Run now
                </Button>
                <Button look="main" isDisabled={pause.isRunning} onPress={() => void pause.run({ id })}>
                  Pause
                </Button>
              </>
            ) : (
              <Button look="main" isDisabled={activate.isRunning} onPress={() => void activate.run({ id })}>
                {status === 'DRAFT' ? 'Activate' : 'Resume'}
              </Button>
            )}
            <EditCampaign campaign={campaign} />
            <FormDialog
              label="Archive"
              look="danger"
              title={`Put ${campaign.name} away?`}
              submit="Archive for good"
              action={archive}
              onSubmit={async () => (await archive.run({ id })) !== null}
            >
              <p>Whoever has not been dialled is not. It cannot be taken out again.</p>
            </FormDialog>
          </div>
        )}
      </div>
      <p>{campaign.reason}</p>
      {problem ? <Problem message={problem} /> : null}
    </header>
  );
}

function Run({ run, zone }: { run: RunCountsFragment; zone: string }) {
  return (
    <Panel
      title={`Run of ${run.date}`}
      note={
        run.estimatedFinishAt ? (
          <>
            done about <When at={run.estimatedFinishAt} zone={zone} />
          </>
        ) : null
      }
      actions={<Pill status={run.status} />}
    >
      <div className="body">
        {run.breakerReason ? <Problem message={run.breakerReason} /> : null}
        <p className="note">{`${countOf(run.eligible)} eligible, ${countOf(run.exclusions.reduce((sum, { count }) => sum + count, 0))} left out`}</p>
        <Progress run={run} />
      </div>
    </Panel>
  );
}

function Settings({ campaign }: { campaign: Row }) {
  const { audience, runAt, timeZone, nextRunAt } = campaign;
  const facts = Object.entries(audience.facts).map(([key, value]) => `${wordsOf(key)} is ${String(value)}`);
  const whom = [
    ...facts,
    ...audience.tags.map((tag) => `tagged ${tag}`),
    ...audience.sourceSystems.map((name) => `known to ${name}`),
  ];
  const terms: [string, string][] = [
    ['What for', wordsOf(campaign.purpose)],
    ['Daily at', `${runAt} in ${cityOf(timeZone)}`],
    ['Whom', whom.join(', ') || 'every patient'],
    ['Pace', `${campaign.callsPerMinute} calls a minute, ${campaign.maxConcurrentCalls} at a time`],
    ['Attempts', `up to ${campaign.maxAttempts}, ${campaign.cooldownHours} h apart`],
    ['Stops after', `${campaign.breakerThreshold} failures of the carrier in a row`],
    ['Priority', String(campaign.priority)],
  ];
  return (
    <Panel title="How it runs">
      <dl className="terms body">
        {terms.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {nextRunAt ? (
          <div>
            <dt>Next run</dt>
            <dd>
              <When at={nextRunAt} zone={timeZone} />
            </dd>
          </div>
        ) : null}
      </dl>
    </Panel>
  );
}
