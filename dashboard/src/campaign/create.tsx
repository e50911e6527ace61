import { useState } from 'react';
import { useLocation } from 'wouter';
import { CreateCampaignDocument, type Purpose } from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { Choice, purposes, TextInput } from '../ui/fields.tsx';
import { viewerZone } from '../ui/format.ts';

const blank = { name: '', reason: '', runAt: '10:00', timeZone: viewerZone, tags: '', callsPerMinute: '10' };

/** Drafts a campaign. Nobody is called before it is activated. */
export function CreateCampaign() {
  const [, navigate] = useLocation();
  const [fields, setFields] = useState(blank);
  const [purpose, setPurpose] = useState<Purpose>('WELLNESS_CHECKUP');
  const action = useAction(CreateCampaignDocument);
  const edit = (name: keyof typeof blank) => (value: string) => setFields({ ...fields, [name]: value });
  const submit = async () => {
    const { tags, callsPerMinute, ...plain } = fields;
    const audience = { tags: tags.split(',').flatMap((tag) => tag.trim() || []) };
    const data = await action.run({
      input: { ...plain, purpose, audience, callsPerMinute: Number(callsPerMinute) },
    });
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
      problem={action.problem}
      isRunning={action.isRunning}
      onOpen={action.forget}
      onSubmit={submit}
    >
      <TextInput label="Name" value={fields.name} onChange={edit('name')} isRequired maxLength={100} />
      <TextInput
        label="Reason, as the agent is told"
        value={fields.reason}
        onChange={edit('reason')}
        isRequired
      />
      <Choice label="What for" value={purpose} options={purposes} onChange={setPurpose} />
      <div className="fields">
        <TextInput type="time" label="Daily at" value={fields.runAt} onChange={edit('runAt')} isRequired />
        <TextInput label="In this zone" value={fields.timeZone} onChange={edit('timeZone')} isRequired />
        <TextInput
          type="number"
          label="Calls a minute"
          value={fields.callsPerMinute}
          onChange={edit('callsPerMinute')}
        />
      </div>
      <TextInput
        label="Whom: tags, with commas between"
        value={fields.tags}
        onChange={edit('tags')}
        note="None: every patient who may be contacted."
      />
    </FormDialog>
  );
}
