import { useState } from 'react';
import { useQuery } from 'urql';
import { useLocation } from 'wouter';
import { now } from '../live/clock.ts';
import {
  CallNowDocument,
  CancelTaskDocument,
  ScheduleDocument,
  SendersDocument,
  SnoozeDocument,
  StartConversationDocument,
  type Channel,
  type DecisionFragment,
  type PatientTaskFragment,
  type Purpose,
} from '../operations.ts';
import { useAction } from '../ui/action.ts';
import { FormDialog } from '../ui/dialog.tsx';
import { channels, Choice, MomentInput, priorities, purposes, TextArea, TextInput } from '../ui/fields.tsx';
import { phoneOf, viewerZone } from '../ui/format.ts';
import { instantOf, wallOf } from '../ui/zone.ts';
import { Decision } from './decision.tsx';

/** Who is contacted. */
interface Person {
  id: string;
  name: string;
  timeZone: string | null;
}

/** Calls someone now, and shows the call. */
export function CallNow({ patient }: { patient: Person }) {
  const [, navigate] = useLocation();
  const [reason, setReason] = useState('');
  const [purpose, setPurpose] = useState<Purpose>('CARE_PLAN');
  const [{ data: senders }] = useQuery({ query: SendersDocument });
  const [sender, setSender] = useState('');
  const options = sendersOf(senders);
  const action = useAction(CallNowDocument);
  const refused = action.refusal as { decision?: DecisionFragment } | null;
  const submit = async () => {
    const [kind, value] = (sender || options[0]?.value || '').split(' ');
    const source = kind === 'case' ? { useCaseId: value! } : { phoneFrom: value! };
    const data = await action.run({ input: { patientId: patient.id, reason, purpose, ...source } });
    if (data?.placeCall?.__typename !== 'PlaceCallPayload') return false;
    navigate(`/calls/${data.placeCall.call.id}`);
    return true;
  };
  return (
    <FormDialog
      label="Call now"
      look="main"
      title={`Call ${patient.name}`}
      submit="Call"
      action={action}
      problem={refused?.decision ? <Decision decision={refused.decision} /> : undefined}
      onSubmit={submit}
    >
      <TextInput name="reason" label="Reason" value={reason} onChange={setReason} isRequired />
      <Choice label="What for" value={purpose} options={purposes} onChange={setPurpose} />
      <Choice
        label="From"
        value={sender || (options[0]?.value ?? '')}
        options={options}
        onChange={setSender}
      />
    </FormDialog>
  );
}

/** Texts someone now, and shows the conversation. */
export function WriteText({ patient }: { patient: Person }) {
  const [, navigate] = useLocation();
  const [opening, setOpening] = useState('');
  const [reason, setReason] = useState('');
  const [purpose, setPurpose] = useState<Purpose>('CARE_PLAN');
  const action = useAction(StartConversationDocument);
  const refused = action.refusal as { decision?: DecisionFragment } | null;
  const submit = async () => {
    const data = await action.run({ input: { patientId: patient.id, opening, reason, purpose } });
    if (data?.startConversation?.__typename !== 'ConversationPayload') return false;
    navigate(`/conversations/${data.startConversation.conversation.id}`);
    return true;
  };
  return (
    <FormDialog
      label="Text"
      title={`Text ${patient.name}`}
      submit="Send"
      action={action}
      problem={refused?.decision ? <Decision decision={refused.decision} /> : undefined}
      onSubmit={submit}
    >
      <TextArea
        name="opening"
        label="What to write"
        value={opening}
        onChange={setOpening}
        isRequired
        maxLength={1_600}
        note="Who writes and how to opt out is added where it is missing. Anybody who sees the phone can read it."
      />
      <TextInput
        name="reason"
        label="Reason, which is not sent"
        value={reason}
        onChange={setReason}
        isRequired
      />
      <Choice name="purpose" label="What for" value={purpose} options={purposes} onChange={setPurpose} />
    </FormDialog>
  );
}

/** What can be called from: use cases, each with numbers that serve it, and single numbers. */
function sendersOf(data: ReturnType<typeof useSenders>): { value: string; label: string }[] {
  const cases = (data?.useCases ?? []).filter(({ channel }) => channel === 'VOICE');
  const numbers = (data?.phoneNumbers ?? []).filter(({ active, voice }) => active && voice);
  return [
    ...cases.map(({ id, name }) => ({ value: `case ${id}`, label: name })),
    ...numbers.map(({ phone, label }) => ({
      value: `number ${phone}`,
      label: label ? `${phoneOf(phone)}, ${label}` : phoneOf(phone),
    })),
  ];
}
const useSenders = () => useQuery({ query: SendersDocument })[0].data;

/** Schedules a task for someone. */
export function Schedule({ patient }: { patient: Person }) {
  const zone = patient.timeZone ?? viewerZone;
  const [reason, setReason] = useState('');
  const [purpose, setPurpose] = useState<Purpose>('CARE_PLAN');
  const [channel, setChannel] = useState<Channel | 'ANY'>('ANY');
  const [priority, setPriority] = useState('5');
  const [wall, setWall] = useState(() => wallOf(now() + 3_600_000, zone));
  const action = useAction(ScheduleDocument);
  const submit = async () => {
    const input = {
      patientId: patient.id,
      reason,
      purpose,
      priority: Number(priority),
      scheduledFor: instantOf(wall, zone),
      ...(channel === 'ANY' ? {} : { channel }),
    };
    return (await action.run({ input })) !== null;
  };
  return (
    <FormDialog
      label="Schedule"
      title={`Schedule for ${patient.name}`}
      submit="Schedule"
      action={action}
      onSubmit={submit}
    >
      <TextInput name="reason" label="Reason" value={reason} onChange={setReason} isRequired />
      <MomentInput
        name="scheduledFor"
        label="When"
        value={wall}
        onChange={setWall}
        zone={patient.timeZone}
        isRequired
      />
      <div className="fields">
        <Choice label="What for" value={purpose} options={purposes} onChange={setPurpose} />
        <Choice
          label="How"
          value={channel}
          options={[{ value: 'ANY', label: 'As they are best reached' }, ...channels]}
          onChange={setChannel}
        />
        <Choice label="Priority" value={priority} options={priorities} onChange={setPriority} />
      </div>
    </FormDialog>
  );
}

/** Puts a waiting task aside until later. */
export function Snooze({ task, zone }: { task: PatientTaskFragment; zone: string | null }) {
  const [reason, setReason] = useState('');
  const [wall, setWall] = useState(() => wallOf(now() + 86_400_000, zone ?? viewerZone));
  const action = useAction(SnoozeDocument);
  const until = () => instantOf(wall, zone ?? viewerZone);
  return (
    <FormDialog
      label="Snooze"
      title={`Snooze: ${task.reason}`}
      submit="Snooze"
      action={action}
      onSubmit={async () =>
        (await action.run({ id: task.id, until: until(), reason: reason || null })) !== null
      }
    >
      <MomentInput name="until" label="Until" value={wall} onChange={setWall} zone={zone} isRequired />
      <TextInput name="reason" label="Why, for those who look later" value={reason} onChange={setReason} />
    </FormDialog>
  );
}

/** Takes a waiting task away. */
export function CancelTask({ task }: { task: PatientTaskFragment }) {
  const [reason, setReason] = useState('');
  const action = useAction(CancelTaskDocument);
  return (
    <FormDialog
      label="Cancel"
      look="danger"
      title={`Cancel: ${task.reason}`}
      submit="Cancel the task"
      action={action}
      onSubmit={async () => (await action.run({ id: task.id, reason: reason || null })) !== null}
    >
      <TextInput name="reason" label="Why, for those who look later" value={reason} onChange={setReason} />
    </FormDialog>
  );
}
