import { lazy, Suspense, type ComponentType } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';
import { useQuery } from 'urql';
import { Campaign } from './campaign/campaign.tsx';
import { Campaigns } from './campaign/campaigns.tsx';
import { Call } from './call/call.tsx';
import { Patient } from './patient/patient.tsx';
import { Patients } from './patient/patients.tsx';
import { Board } from './board/board.tsx';
import { LiveStatus } from './live/status.tsx';
import { useSession } from './live/session.tsx';
import { WorkspaceDocument } from './operations.ts';
import { ThemeSwitch } from './ui/theme.tsx';
import { Button, Empty, Loading } from './ui/parts.tsx';

/** The views that can be gone to. */
const Voicemails = lazy(() =>
  import('./voicemail/voicemails.tsx').then(({ Voicemails: view }) => ({ default: view })),
);
const Analytics = lazy(() =>
  import('./analytics/analytics.tsx').then(({ Analytics: view }) => ({ default: view })),
);
const Conversations = lazy(() =>
  import('./conversation/conversations.tsx').then(({ Conversations: view }) => ({ default: view })),
);
const Triggers = lazy(() =>
  import('./trigger/triggers.tsx').then(({ Triggers: view }) => ({ default: view })),
);
const Numbers = lazy(() =>
  import('./workspace/numbers.tsx').then(({ Numbers: view }) => ({ default: view })),
);
const Keys = lazy(() => import('./workspace/keys.tsx').then(({ Keys: view }) => ({ default: view })));

const views: { path: string; label: string; view: ComponentType }[] = [
  { path: '/', label: 'Live board', view: Board },
  { path: '/patients', label: 'Patients', view: Patients },
  { path: '/campaigns', label: 'Campaigns', view: Campaigns },
  { path: '/analytics', label: 'Analytics', view: Analytics },
  { path: '/conversations', label: 'Conversations', view: Conversations },
  { path: '/voicemails', label: 'Voicemails', view: Voicemails },
  { path: '/triggers', label: 'Triggers', view: Triggers },
  { path: '/numbers', label: 'Numbers', view: Numbers },
  { path: '/keys', label: 'Keys', view: Keys },
];

/** The frame around every view. */
export function Shell() {
  const { signOut } = useSession();
  const [{ data }] = useQuery({ query: WorkspaceDocument });
  return (
    <div className="shell">
      <a className="skip" href="#view">
        Skip to the view
      </a>
      <header className="bar">
        <p className="brand">Callwell</p>
        <p className="workspace">{data?.workspace.name}</p>
        <LiveStatus />
        <ThemeSwitch />
        <Button look="quiet" onPress={signOut}>
          Sign out
        </Button>
      </header>
      <nav aria-label="Views" className="views">
        {views.map(({ path, label }) => (
          <ViewLink key={path} path={path} label={label} />
        ))}
      </nav>
      <main id="view" tabIndex={-1}>
        <Suspense fallback={<Loading what="the view" />}>
          <Switch>
            {views.map(({ path, view }) => (
              <Route key={path} path={path} component={view} />
            ))}
            <Route path="/patients/:id" component={Patient} />
            <Route path="/campaigns/:id" component={Campaign} />
            <Route path="/conversations/:id" component={Conversations} />
            <Route path="/calls/:id" component={Call} />
            <Route>
              <Empty title="There is no such view." />
            </Route>
          </Switch>
        </Suspense>
      </main>
    </div>
  );
}

function ViewLink({ path, label }: { path: string; label: string }) {
  const [location] = useLocation();
  const isHere = path === '/' ? location === '/' : location.startsWith(path);
  return (
    <Link href={path} aria-current={isHere ? 'page' : undefined}>
      {label}
    </Link>
  );
}
