import { useState } from 'react';
import {
  CreateTriggerDocument,
  UpdateTriggerDocument,
  type Channel,
  type TriggerInput,
  type TriggerSettingsFragment,
} from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { listOf, numberOf } from '../ui/fields.tsx';
import { viewerZone } from '../ui/format.ts';
import { filterOf, linesOf } from './condition.ts';
import { Settings } from './settings.tsx';

/** A form's fields, as they are written. */
function written(trigger?: TriggerSettingsFragment) {
  const { action } = trigger ?? {};
  const channel: Channel | 'ANY' = action?.isChannelNamed ? action.channel : 'ANY';
  return {
    name: trigger?.name ?? '',
    kind: trigger?.kind ?? 'CRON',
    schedule: trigger?.schedule ?? '0 9 * * 1-5',
    timeZone: trigger?.timeZone ?? viewerZone,
    eventType: trigger?.eventType ?? '',
    filter: linesOf(trigger?.filter ?? {}),
    acceptedEventTypes: trigger?.webhook?.acceptedEventTypes.join(', ') ?? '',
    reason: action?.reason ?? '',
    goal: action?.goal ?? '',
    channel,
    purpose: action?.purpose ?? 'CARE_PLAN',
    priority: String(action?.priority ?? 5),
    scheduleAt: action?.scheduleAt ?? '',
    delayMinutes: String((action?.delaySeconds ?? 0) / 60),
    maxAttempts: String(action?.maxAttempts ?? 3),
    cancelOn: action?.cancelOn.join(', ') ?? '',
  };
}
/** What is written in the form's fields. */
export type Fields = ReturnType<typeof written>;

/** What the API is told. */
function inputOf(fields: Fields, trigger?: TriggerSettingsFragment): TriggerInput {
  const { name, kind, timeZone } = fields;
  const isScheduled = kind === 'CRON' || kind === 'MONITOR';
  return {
    name,
    kind,
    timeZone,
    filter: filterOf(fields.filter).filter,
    ...(isScheduled ? { schedule: fields.schedule } : {}),
    ...(kind === 'EVENT' ? { eventType: fields.eventType } : {}),
    ...(kind === 'WEBHOOK' ? { acceptedEventTypes: listOf(fields.acceptedEventTypes) } : {}),
    // What the form does not show stays as it is.
    ...(trigger ? { maxRetries: trigger.maxRetries, maxRunsPerMinute: trigger.maxRunsPerMinute } : {}),
    action: {
      reason: fields.reason,
      goal: fields.goal || null,
      channel: fields.channel === 'ANY' ? null : fields.channel,
      purpose: fields.purpose,
      priority: Number(fields.priority),
      scheduleAt: fields.scheduleAt || null,
      delaySeconds: Math.round((numberOf(fields.delayMinutes) ?? 0) * 60),
      maxAttempts: numberOf(fields.maxAttempts),
      cancelOn: listOf(fields.cancelOn),
    },
  };
}

/** Makes a trigger, which is active at once. */
export function CreateTrigger({ onDone }: { onDone: (secret: string | null) => void }) {
  const create = useAction(CreateTriggerDocument);
  const [fields, setFields] = useState(() => written());
  const submit = async () => {
    const data = await create.run({ input: inputOf(fields) });
    if (data?.createTrigger?.__typename !== 'TriggerPayload') return false;
    setFields(written());
    onDone(data.createTrigger.secret);
    return true;
  };
  return (
    <FormDialog
      label="New trigger"
      look="main"
      title="New trigger"
      submit="Make it, active"
      action={create}
      problem={unread(fields)}
      onSubmit={async () => unread(fields) === undefined && submit()}
    >
      <Settings fields={fields} onChange={setFields} />
    </FormDialog>
  );
}

/** Changes what a trigger is told; of what kind it is stays. */
export function EditTrigger({ trigger }: { trigger: TriggerSettingsFragment }) {
  const update = useAction(UpdateTriggerDocument);
  const [fields, setFields] = useState(() => written(trigger));
  const submit = async () => (await update.run({ id: trigger.id, input: inputOf(fields, trigger) })) !== null;
  return (
    <FormDialog
      label="Edit"
      title={`Edit ${trigger.name}`}
      submit="Keep"
      action={update}
      problem={unread(fields)}
      onOpen={() => setFields(written(trigger))}
      onSubmit={async () => unread(fields) === undefined && submit()}
    >
      <Settings fields={fields} onChange={setFields} isKindFixed />
    </FormDialog>
  );
}

/** What of the conditions is no condition; undefined: all of them are. */
function unread({ filter }: Fields): string | undefined {
  const { unread: line } = filterOf(filter);
  return line === null
    ? undefined
    : `“${line}” is no condition: name what is looked at, how, and with what, such as patient.language eq es.`;
}
