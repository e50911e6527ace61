import { Link } from 'wouter';
import { useNow } from '../live/clock.ts';
import { useLive } from '../live/use-live.ts';
import {
  PatientDocument,
  PatientWorkDocument,
  type PatientQuery,
  type PatientWorkQuery,
} from '../operations.ts';
import { cityOf, dateOf, phoneOf, timeOf, viewerZone, wordsOf } from '../ui/format.ts';
import { Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { CallNow, CancelTask, Schedule, Snooze, WriteText } from './actions.tsx';
import { Beliefs } from './beliefs.tsx';
import { Consents } from './consents.tsx';
import { Engagement } from './engagement.tsx';
import { MayContact } from './may-contact.tsx';
import { Timeline } from './timeline.tsx';

/** One patient: who they are, what is believed and why, what happened, and what can be done. */
export function Patient({ params: { id } }: { params: { id: string } }) {
  const concerns = (change: { patient: { id: string } | null }) => change.patient?.id === id;
  const { data, error, fetching } = useLive(PatientDocument, { id }, { concerns, everyMs: 1_000 });
  const work = useLive(PatientWorkDocument, { id }, { concerns });
  const patient = data?.patient;
  if (!patient) {
    if (error) return <Problem message={error.message} />;
    return fetching ? <Loading what="the patient" /> : <Empty title="This patient is not known here." />;
  }
  return (
    <div>
      <Identity patient={patient} />
      <div className="pair">
        <div className="stack">
          <MayContact id={id} zone={patient.timeZone} />
          <Tasks work={work.data} zone={patient.timeZone} />
          <Calls work={work.data} zone={patient.timeZone} />
          <Consents patient={patient} />
        </div>
        <div className="stack">
          <Engagement id={id} zone={patient.timeZone} />
          <Timeline id={id} zone={patient.timeZone} />
          <Beliefs facts={patient.facts} />
        </div>
      </div>
    </div>
  );
}

/** A patient as the view asks for it. */
export type PatientRow = NonNullable<PatientQuery['patient']>;

const zoneSources = {
  STATED: 'as they stated',
  ADDRESS: 'by their address',
  AREA_CODE: 'by their area code',
  UNKNOWN: 'unknown',
};

function Identity({ patient }: { patient: PatientRow }) {
  const now = useNow();
  const { timeZone, timeZoneSource, birthDate, phone, language, canonicalId } = patient;
  const there = timeZone
    ? `${timeOf(now, timeZone)} in ${cityOf(timeZone)}, ${zoneSources[timeZoneSource]}`
    : 'unknown';
  return (
    <header className="identity">
      <div className="heading">
        <h1>{patient.name}</h1>
        <Pill status={patient.status} />
        <div className="actions">
          <CallNow patient={patient} />
          <WriteText patient={patient} />
          <Schedule patient={patient} />
        </div>
      </div>
      <dl className="terms">
        <Term label="Born">{birthDate ? dateOf(birthDate) : 'unknown'}</Term>
        <Term label="Number">{phone ? phoneOf(phone) : 'none'}</Term>
        <Term label="Their time">{there}</Term>
        <Term label="Your time">{`${timeOf(now)} in ${cityOf(viewerZone)}`}</Term>
        {language ? <Term label="Language">{language}</Term> : null}
        {canonicalId ? <Term label="Record">{canonicalId}</Term> : null}
        {patient.tags.length > 0 ? <Term label="Tags">{patient.tags.join(', ')}</Term> : null}
      </dl>
    </header>
  );
}

const Term = ({ label, children }: { label: string; children: string }) => (
  <div>
    <dt>{label}</dt>
    <dd>{children}</dd>
  </div>
);

type Work = PatientWorkQuery | undefined;

function Tasks({ work, zone }: { work: Work; zone: string | null }) {
  const tasks = work?.patient?.tasks.edges.map(({ node }) => node) ?? [];
  return (
    <Panel title="Tasks" note="What we mean to reach them for">
      {tasks.length === 0 ? <Empty title="Nothing is planned.">Schedule something above.</Empty> : null}
      <ul className="cards">
        {tasks.map((task) => (
          <li key={task.id} data-task={task.id} data-status={task.status}>
            <Pill status={task.status} />
            <div className="what">
              <strong>{task.reason}</strong>
              <small>{`${wordsOf(task.purpose)} by ${wordsOf(task.channel).toLowerCase()}, priority ${task.priority}, attempt ${task.attempts} of ${task.maxAttempts}`}</small>
              {task.nextAttemptAt ? (
                <span>
                  Next <When at={task.nextAttemptAt} zone={zone} />
                  <small>{` ${task.nextAttemptReason ?? ''}`}</small>
                </span>
              ) : null}
            </div>
            {task.status === 'SCHEDULED' || task.status === 'SNOOZED' ? (
              <div className="actions">
                <Snooze task={task} zone={zone} />
                <CancelTask task={task} />
              </div>
            ) : null}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Calls({ work, zone }: { work: Work; zone: string | null }) {
  const calls = work?.patient?.calls.edges.map(({ node }) => node) ?? [];
  return (
    <Panel title="Calls" note="The newest first; a callback stands with what it answers">
      {calls.length === 0 ? <Empty title="They have not been called yet." /> : null}
      <ul className="cards">
        {calls.map((call) => (
          <li key={call.id} className={call.derivedFrom ? 'derived' : ''}>
            <Pill status={call.status} />
            <div className="what">
              <Link href={`/calls/${call.id}`}>{call.reason}</Link>
              <small>
                {[
                  call.derivedFrom ? 'Callback' : null,
                  call.outcome ? wordsOf(call.outcome) : call.endedReason ? wordsOf(call.endedReason) : null,
                  call.durationSeconds === null ? null : `${call.durationSeconds} s`,
                ]
                  .filter(Boolean)
                  .join(', ')}
              </small>
            </div>
            <When at={call.queuedAt} zone={zone} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}
