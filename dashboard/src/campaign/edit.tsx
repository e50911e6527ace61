import { useState } from 'react';
import { useQuery } from 'urql';
import { useLocation } from 'wouter';
import {
  CreateCampaignDocument,
  SpeakingServicesDocument,
  UpdateCampaignDocument,
  type CampaignInput,
  type CampaignQuery,
} from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import {
  Choice,
  listOf,
  numberOf,
  priorities,
  purposes,
  TextArea,
  TextInput,
  ZoneInput,
} from '../ui/fields.tsx';
import { viewerZone } from '../ui/format.ts';

type Row = NonNullable<CampaignQuery['campaign']>;

/** A form's fields, as they are written. */
function written(campaign?: Row) {
  const audience = campaign?.audience;
  return {
    name: campaign?.name ?? '',
    reason: campaign?.reason ?? '',
    goal: campaign?.goal ?? '',
    purpose: campaign?.purpose ?? 'WELLNESS_CHECKUP',
    priority: String(campaign?.priority ?? 5),
    runAt: campaign?.runAt ?? '10:00',
    timeZone: campaign?.timeZone ?? viewerZone,
    callsPerMinute: String(campaign?.callsPerMinute ?? 10),
    maxConcurrentCalls: String(campaign?.maxConcurrentCalls ?? 5),
    maxAttempts: String(campaign?.maxAttempts ?? 3),
    cooldownHours: String(campaign?.cooldownHours ?? 20),
    breakerThreshold: String(campaign?.breakerThreshold ?? 5),
    serviceId: campaign?.service?.id ?? '',
    facts: Object.entries(audience?.facts ?? {})
      .map(([key, value]) => `${key} = ${String(value)}`)
      .join('\n'),
    tags: audience?.tags.join(', ') ?? '',
    sourceSystems: audience?.sourceSystems.join(', ') ?? '',
    allowlist: campaign?.allowlist.join(', ') ?? '',
  };
}
type Fields = ReturnType<typeof written>;

/** What the API is told. */
function inputOf({
  facts,
  tags,
  sourceSystems,
  goal,
  serviceId,
  allowlist,
  ...fields
}: Fields): CampaignInput {
  const pairs = facts.split('\n').flatMap((line) => {
    const [key, ...value] = line.split('=');
    return line.trim() ? [[key!.trim(), value.join('=').trim()]] : [];
  });
  return {
    ...fields,
    goal: goal || null,
    serviceId: serviceId || null,
    priority: Number(fields.priority),
    callsPerMinute: numberOf(fields.callsPerMinute),
    maxConcurrentCalls: numberOf(fields.maxConcurrentCalls),
    maxAttempts: numberOf(fields.maxAttempts),
    cooldownHours: numberOf(fields.cooldownHours),
    breakerThreshold: numberOf(fields.breakerThreshold),
    allowlist: listOf(allowlist),
    audience: {
      facts: Object.fromEntries(pairs) as Record<string, unknown>,
      tags: listOf(tags),
      sourceSystems: listOf(sourceSystems),
    },
  };
}

/** Drafts a campaign. Nobody is called before it is activated. */
export function CreateCampaign() {
  const [, navigate] = useLocation();
  const [fields, setFields] = useState(() => written());
  const create = useAction(CreateCampaignDocument);
  const submit = async () => {
    const data = await create.run({ input: inputOf(fields) });
    if (data?.createCampaign?.__typename !== 'CampaignPayload') return false;
    navigate(`/campaigns/${data.createCampaign.campaign.id}`);
    return true;
  };
  return (
    <FormDialog
      label="New campaign"
      look="main"
      title="New campaign"
      submit="Make the draft"
      action={create}
      onSubmit={submit}
    >
      <Settings fields={fields} onChange={setFields} />
    </FormDialog>
  );
}

/** Changes a campaign. What it would do then is beside it at once. */
export function EditCampaign({ campaign }: { campaign: Row }) {
  const [fields, setFields] = useState(() => written(campaign));
  const update = useAction(UpdateCampaignDocument);
  return (
    <FormDialog
      label="Edit"
      title={`Edit ${campaign.name}`}
      submit="Keep"
      action={update}
      onOpen={() => setFields(written(campaign))}
      onSubmit={async () => (await update.run({ id: campaign.id, input: inputOf(fields) })) !== null}
    >
      {campaign.status === 'ACTIVE' ? (
        <p>It is active: whoever has not been called yet is called as it says then.</p>
      ) : null}
      <Settings fields={fields} onChange={setFields} />
    </FormDialog>
  );
}

interface Part {
  fields: Fields;
  /** Takes what a field is now. */
  edit: <K extends keyof Fields>(name: K) => (value: Fields[K]) => void;
}

function Settings({ fields, onChange }: { fields: Fields; onChange: (fields: Fields) => void }) {
  const edit: Part['edit'] = (name) => (value) => onChange({ ...fields, [name]: value });
  return (
    <>
      <What fields={fields} edit={edit} />
      <Whom fields={fields} edit={edit} />
      <Pace fields={fields} edit={edit} />
    </>
  );
}

function What({ fields, edit }: Part) {
  const [{ data }] = useQuery({ query: SpeakingServicesDocument });
  const services = (data?.services ?? []).filter(({ active }) => active);
  return (
    <>
      <TextInput
        name="name"
        label="Name"
        value={fields.name}
        onChange={edit('name')}
        isRequired
        maxLength={100}
      />
      <TextInput
        name="reason"
        label="Reason, as the agent is told"
        value={fields.reason}
        onChange={edit('reason')}
        isRequired
      />
      <TextArea name="goal" label="Goal" value={fields.goal} onChange={edit('goal')} />
      <div className="fields">
        <Choice
          name="purpose"
          label="What for"
          value={fields.purpose}
          options={purposes}
          onChange={edit('purpose')}
        />
        <Choice
          name="priority"
          label="Priority"
          value={fields.priority}
          options={priorities}
          onChange={edit('priority')}
        />
        <Choice
          name="serviceId"
          label="Who speaks"
          value={fields.serviceId}
          options={[
            { value: '', label: 'The default service' },
            ...services.map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={edit('serviceId')}
        />
      </div>
    </>
  );
}

function Whom({ fields, edit }: Part) {
  return (
    <>
      <TextInput
        name="audience.tags"
        label="Whom: tags, with commas between"
        value={fields.tags}
        onChange={edit('tags')}
        note="None: every patient who may be contacted."
      />
      <TextArea
        name="audience.facts"
        label="Whom: facts, one on each line"
        value={fields.facts}
        onChange={edit('facts')}
        placeholder="plan = gold"
      />
      <div className="fields">
        <TextInput
          name="audience.sourceSystems"
          label="Known to these systems"
          value={fields.sourceSystems}
          onChange={edit('sourceSystems')}
        />
        <TextInput
          name="allowlist"
          label="Only these numbers"
          value={fields.allowlist}
          onChange={edit('allowlist')}
          maxLength={17_000}
          note="For a beginning: none means everybody."
        />
      </div>
    </>
  );
}

const paces = [
  ['callsPerMinute', 'Calls a minute'],
  ['maxConcurrentCalls', 'Calls at a time'],
  ['maxAttempts', 'Attempts'],
  ['cooldownHours', 'Hours between them'],
  ['breakerThreshold', 'Failures that stop it'],
] as const;

function Pace({ fields, edit }: Part) {
  return (
    <div className="fields">
      <TextInput
        name="runAt"
        type="time"
        label="Daily at"
        value={fields.runAt}
        onChange={edit('runAt')}
        isRequired
      />
      <ZoneInput
        name="timeZone"
        label="In this zone"
        value={fields.timeZone}
        onChange={edit('timeZone')}
        isRequired
      />
      {paces.map(([name, label]) => (
        <TextInput
          key={name}
          name={name}
          type="number"
          label={label}
          value={fields[name]}
          onChange={edit(name)}
        />
      ))}
    </div>
  );
}
