import { Link } from 'wouter';
import { useLive } from '../live/use-live.ts';
import { CallDocument, CancelCallDocument, type CallQuery } from '../operations.ts';
import { Decision } from '../patient/decision.tsx';
import { useAction } from '../ui/action.ts';
import { cityOf, phoneOf, secondOf, timeOf, viewerZone, wordsOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, Since, When } from '../ui/parts.tsx';

type Row = NonNullable<CallQuery['call']>;

/** One call as it goes on: its states, what was said, why it was allowed, and what it came from. */
export function Call({ params: { id } }: { params: { id: string } }) {
  const { data, error, fetching } = useLive(
    CallDocument,
    { id },
    { concerns: ({ entityId }) => entityId === id, everyMs: 150 },
  );
  const call = data?.call;
  if (!call) {
    if (error) return <Problem message={error.message} />;
    return fetching ? <Loading what="the call" /> : <Empty title="This call is not known here." />;
  }
  return (
    <div>
      <Heading call={call} />
      <div className="pair">
        <div className="stack">
          <Steps call={call} />
          {call.chain.length > 1 ? <Lineage call={call} /> : null}
        </div>
        <div className="stack">
          <Panel title="Why it was allowed">
            <div className="body">
              <Decision decision={call.decision} />
            </div>
          </Panel>
          <Transcript call={call} />
          <Known call={call} />
        </div>
      </div>
    </div>
  );
}

function Heading({ call }: { call: Row }) {
  const cancel = useAction(CancelCallDocument);
  return (
    <header className="identity">
      <div className="heading" data-call={call.id} data-status={call.status}>
        <h1>
          <Link href={`/patients/${call.patient.id}`}>{call.patient.name}</Link>
        </h1>
        <Pill status={call.status} />
        {call.endedAt ? null : (
          <>
            <Since at={call.answeredAt ?? call.queuedAt} />
            <Button
              look="danger"
              isDisabled={cancel.isRunning}
              onPress={() => void cancel.run({ id: call.id })}
            >
              Hang up
            </Button>
          </>
        )}
      </div>
      <p>{call.reason}</p>
      {cancel.problem ? <Problem message={cancel.problem} /> : null}
      <dl className="terms">
        <Term label="To">{phoneOf(call.phoneTo)}</Term>
        <Term label="From">{phoneOf(call.phoneFrom)}</Term>
        <Term label="What for">{wordsOf(call.purpose)}</Term>
        <Term label="Asked for by">{wordsOf(call.origin)}</Term>
        {call.answeredBy ? <Term label="Answered by">{wordsOf(call.answeredBy)}</Term> : null}
        {call.outcome ? <Term label="Outcome">{wordsOf(call.outcome)}</Term> : null}
        {call.endedReason ? <Term label="Ended">{wordsOf(call.endedReason)}</Term> : null}
        {call.durationSeconds === null ? null : <Term label="Talked">{`${call.durationSeconds} s`}</Term>}
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

function Steps({ call }: { call: Row }) {
  const zone = call.patient.timeZone ?? viewerZone;
  const isElsewhere = timeOf(call.queuedAt, zone) !== timeOf(call.queuedAt);
  return (
    <Panel title="What happened">
      <ol className="timeline">
        {call.events.map(({ id, summary, effectiveAt, type }) => (
          <li key={id} data-type={type}>
            <div className="happening">
              <time dateTime={effectiveAt} className="when">
                {secondOf(effectiveAt)}
                {isElsewhere ? <small>{`${secondOf(effectiveAt, zone)} in ${cityOf(zone)}`}</small> : null}
              </time>
              <span className="what">{summary}</span>
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Transcript({ call }: { call: Row }) {
  return (
    <Panel title="What was said" note={call.summary ?? ''}>
      {call.transcript.length === 0 ? (
        <Empty
          title={call.endedAt ? 'The agent has told nothing of it.' : 'It is told once the call has ended.'}
        />
      ) : null}
      <ol className="talk">
        {call.transcript.map(({ speaker, text, at }) => (
          <li
            key={`${at} ${speaker} ${text}`}
            className={speaker.toLowerCase() === 'agent' ? 'ours' : 'theirs'}
          >
            <small>{`${wordsOf(speaker)}, ${secondOf(at)}`}</small>
            <p>{text}</p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

/** What the agent was given while the phone rang, and whether it was ready in time. */
function Known({ call: { context, answeredAt } }: { call: Row }) {
  if (!context) return null;
  const early = answeredAt ? Date.parse(answeredAt) - Date.parse(context.readyAt) : null;
  const when =
    early === null ? '' : early >= 0 ? 'Ready before they answered' : 'Not ready when they answered';
  return (
    <Panel title="What the agent knew" note={when}>
      <p className="body known">{context.patientSummary}</p>
    </Panel>
  );
}

function Lineage({ call }: { call: Row }) {
  return (
    <Panel title="Lineage" note="The calls that led here and on from here, the oldest first">
      <ol className="cards lineage">
        {call.chain.map((link) => (
          <li key={link.id} aria-current={link.id === call.id ? 'true' : undefined}>
            <Pill status={link.status} />
            <div className="what">
              {link.id === call.id ? (
                <strong>{link.reason}</strong>
              ) : (
                <Link href={`/calls/${link.id}`}>{link.reason}</Link>
              )}
              <small>{wordsOf(link.outcome ?? link.endedReason ?? '')}</small>
            </div>
            <When at={link.queuedAt} zone={call.patient.timeZone} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}
