import { useState } from 'react';
import { Link } from 'wouter';
import { useQuery } from 'urql';
import { useLive } from '../live/use-live.ts';
import {
  DeleteTriggerDocument,
  RotateSecretDocument,
  SetTriggerActiveDocument,
  TriggerPreviewDocument,
  TriggersDocument,
  type TriggersQuery,
} from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { cityOf, countOf, wordsOf } from '../ui/format.ts';
import { Button, Empty, Loading, Panel, Pill, Problem, When } from '../ui/parts.tsx';
import { CreateTrigger, EditTrigger } from './edit.tsx';
import { Subscriptions } from './subscriptions.tsx';

type Row = TriggersQuery['triggers'][number];

/** What makes tasks by itself, when it does next, and what was told to other systems. */
export function Triggers() {
  const [secret, setSecret] = useState<string | null>(null);
  const { data, error } = useLive(
    TriggersDocument,
    {},
    { concerns: ({ entityType }) => entityType === 'TRIGGER', everyMs: 300 },
  );
  return (
    <div>
      <div className="heading">
        <h1>Triggers</h1>
        <CreateTrigger onDone={setSecret} />
      </div>
      {secret ? (
        <output className="told">
          <p>The secret that its posts are signed with, shown this once. Keep it where secrets are kept.</p>
          <code>{secret}</code>
        </output>
      ) : null}
      {error ? <Problem message={error.message} /> : null}
      <Panel title="What makes tasks" note="By itself, when something comes to be">
        {data?.triggers.length === 0 ? (
          <Empty title="There is no trigger yet.">
            New trigger makes one that reminds, follows up or asks.
          </Empty>
        ) : null}
        {data || error ? null : <Loading what="triggers" />}
        <ul className="cards">
          {data?.triggers.map((trigger) => (
            <Trigger key={trigger.id} trigger={trigger} onSecret={setSecret} />
          ))}
        </ul>
      </Panel>
      <Subscriptions />
    </div>
  );
}

function Trigger({ trigger, onSecret }: { trigger: Row; onSecret: (secret: string) => void }) {
  const { id, name, active, action, upcoming, timeZone, runs, webhook, schedule } = trigger;
  const how = action.isChannelNamed
    ? `by ${wordsOf(action.channel).toLowerCase()}`
    : 'as they are best reached';
  return (
    <li data-trigger={id} data-active={active}>
      <Pill status={active ? 'ACTIVE' : 'PAUSED'} />
      <div className="what">
        <strong>{name}</strong>
        <small>{`${causeOf(trigger)}: ${action.reason}, ${how}`}</small>
        {webhook ? <small className="address">{webhook.url}</small> : null}
        {active && upcoming.length > 0 ? (
          <span className="next">
            Next{' '}
            {upcoming.map((at) => (
              <When key={at} at={at} zone={timeZone} />
            ))}
          </span>
        ) : null}
        <ul className="runs">
          {runs.edges.map(({ node }) => (
            <li key={node.id}>
              <Pill status={node.status} /> <When at={node.createdAt} />
              {node.error ? <small>{` ${node.error}`}</small> : null}
            </li>
          ))}
        </ul>
        {schedule ? <Preview id={id} /> : null}
      </div>
      <Verbs trigger={trigger} onSecret={onSecret} />
    </li>
  );
}

function Verbs({ trigger, onSecret }: { trigger: Row; onSecret: (secret: string) => void }) {
  const { id, name, active, webhook } = trigger;
  const switched = useAction(SetTriggerActiveDocument);
  const deleted = useAction(DeleteTriggerDocument);
  return (
    <div className="actions">
      <Button isDisabled={switched.isRunning} onPress={() => void switched.run({ id, active: !active })}>
        {active ? 'Pause' : 'Resume'}
      </Button>
      <EditTrigger trigger={trigger} />
      {webhook ? <NewSecret id={id} name={name} onSecret={onSecret} /> : null}
      <FormDialog
        label="Delete"
        look="danger"
        title={`Delete ${name}?`}
        submit="Delete for good"
        action={deleted}
        onSubmit={async () => (await deleted.run({ id })) !== null}
      >
        <p>It fires no more, and runs that wait make nothing. Tasks that it has made stay.</p>
      </FormDialog>
      {switched.problem ? <Problem message={switched.problem} /> : null}
    </div>
  );
}

function NewSecret({ id, name, onSecret }: { id: string; name: string; onSecret: (secret: string) => void }) {
  const rotated = useAction(RotateSecretDocument);
  const submit = async () => {
    const data = await rotated.run({ id });
    if (data?.rotateWebhookSecret?.__typename !== 'WebhookSecretPayload') return false;
    onSecret(data.rotateWebhookSecret.secret);
    return true;
  };
  return (
    <FormDialog
      label="New secret"
      title={`A new secret for ${name}?`}
      submit="Make it"
      action={rotated}
      onSubmit={submit}
    >
      <p>The one that is used now goes on for a day, so that the other system can be changed meanwhile.</p>
    </FormDialog>
  );
}

/** What firing would do now, asked for only when somebody wants to see it. */
function Preview({ id }: { id: string }) {
  const [isOpen, setOpen] = useState(false);
  const [{ data, error }, ask] = useQuery({
    query: TriggerPreviewDocument,
    variables: { id },
    pause: !isOpen,
    requestPolicy: 'network-only',
  });
  const preview = data?.triggerPreview;
  return (
    <details
      onToggle={({ currentTarget }) => {
        if (currentTarget.open && isOpen) ask({ requestPolicy: 'network-only' });
        setOpen(currentTarget.open);
      }}
    >
      <summary>If it fired now</summary>
      {error ? <Problem message={error.message} /> : null}
      {isOpen && !preview && !error ? <Loading what="the preview" /> : null}
      {preview ? (
        <p data-patients={preview.patients}>
          {preview.problem ?? `${countOf(preview.patients)} would get a task: ${preview.reason ?? ''}. `}
          {preview.sample.map((patient, index) => (
            <span key={patient.id}>
              {index > 0 ? ', ' : 'Among them '}
              <Link href={`/patients/${patient.id}`}>{patient.name}</Link>
            </span>
          ))}
        </p>
      ) : null}
    </details>
  );
}

/** What fires a trigger, in words. */
function causeOf({ kind, schedule, timeZone, eventType }: Row): string {
  if (schedule) return `${schedule} in ${cityOf(timeZone)}`;
  return eventType ? `On ${eventType}` : wordsOf(kind);
}
