import { Link } from 'wouter';
import { useLive } from '../live/use-live.ts';
import { CampaignsDocument, type CampaignsQuery } from '../operations.ts';
import { wordsOf } from '../ui/format.ts';
import { Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { CreateCampaign } from './edit.tsx';
import { Progress } from './progress.tsx';

/** All campaigns, each with how far its newest run has come. */
export function Campaigns() {
  const { data, error } = useLive(
    CampaignsDocument,
    {},
    {
      concerns: ({ entityType }) => entityType === 'CAMPAIGN' || entityType === 'CAMPAIGN_RUN',
      everyMs: 1_000,
    },
  );
  const campaigns = data?.campaigns.edges.map(({ node }) => node);
  return (
    <div>
      <div className="heading">
        <h1>Campaigns</h1>
        <CreateCampaign />
      </div>
      {error ? <Problem message={error.message} /> : null}
      <Panel title="All campaigns">
        {campaigns ? <Rows campaigns={campaigns} /> : error ? null : <Loading what="campaigns" />}
      </Panel>
    </div>
  );
}

type Row = CampaignsQuery['campaigns']['edges'][number]['node'];

function Rows({ campaigns }: { campaigns: Row[] }) {
  if (campaigns.length === 0) {
    return (
      <Empty title="There is no campaign yet.">
        A new one is a draft: nobody is called before it is activated.
      </Empty>
    );
  }
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Status</th>
          <th scope="col">What for</th>
          <th scope="col">Newest run</th>
          <th scope="col">Next run</th>
        </tr>
      </thead>
      <tbody>
        {campaigns.map(({ id, name, status, purpose, nextRunAt, runs }) => {
          const run = runs.edges[0]?.node;
          return (
            <tr key={id}>
              <th scope="row">
                <Link href={`/campaigns/${id}`}>{name}</Link>
              </th>
              <td>
                <Pill status={status} />
              </td>
              <td>{wordsOf(purpose)}</td>
              <td>{run ? <Progress run={run} isBrief /> : 'none'}</td>
              <td>{nextRunAt ? <When at={nextRunAt} /> : 'none'}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
