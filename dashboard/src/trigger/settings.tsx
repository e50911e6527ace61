import { useDeferredValue } from 'react';
import { useQuery } from 'urql';
import { ScheduleTimesDocument, type TriggerKind } from '../operations.ts';
import { channels, Choice, priorities, purposes, TextArea, TextInput, ZoneInput } from '../ui/fields.tsx';
import { When } from '../ui/parts.tsx';
import type { Fields } from './edit.tsx';

const kinds: { value: TriggerKind; label: string }[] = [
  { value: 'CRON', label: 'When its time comes' },
  { value: 'EVENT', label: 'When something happens' },
  { value: 'MONITOR', label: 'When a patient comes to be in some state' },
  { value: 'WEBHOOK', label: 'When another system posts' },
];

interface Part {
  fields: Fields;
  /** Takes what a field is now. */
  edit: <K extends keyof Fields>(name: K) => (value: Fields[K]) => void;
}

/** What a trigger is told: when, for whom, and the task that it makes. */
export function Settings({
  fields,
  onChange,
  isKindFixed = false,
}: {
  fields: Fields;
  onChange: (fields: Fields) => void;
  isKindFixed?: boolean;
}) {
  const edit: Part['edit'] = (name) => (value) => onChange({ ...fields, [name]: value });
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
      {isKindFixed ? null : (
        <Choice name="kind" label="When" value={fields.kind} options={kinds} onChange={edit('kind')} />
      )}
      <Cause fields={fields} edit={edit} />
      <TextArea
        name="filter"
        label="For whom: conditions, one on each line"
        value={fields.filter}
        onChange={edit('filter')}
        placeholder="patient.facts.a1c gte 9"
        note="All must hold. Compare with eq, ne, in, gt, gte, lt, lte, exists, olderThanDays, withinDays, heldForDays."
      />
      <Task fields={fields} edit={edit} />
    </>
  );
}

function Cause({ fields, edit }: Part) {
  const { kind, schedule, timeZone } = fields;
  if (kind === 'EVENT')
    return (
      <TextInput
        name="eventType"
        label="Type of the event"
        value={fields.eventType}
        onChange={edit('eventType')}
        placeholder="appointment.cancelled"
        isRequired
      />
    );
  if (kind === 'WEBHOOK')
    return (
      <TextInput
        name="acceptedEventTypes"
        label="Types that are accepted, with commas between"
        value={fields.acceptedEventTypes}
        onChange={edit('acceptedEventTypes')}
        note="None: any. Its address and its secret are shown once it is made."
      />
    );
  return (
    <>
      <div className="fields">
        <TextInput
          name="schedule"
          label={kind === 'CRON' ? 'Schedule' : 'Looks at'}
          value={schedule}
          onChange={edit('schedule')}
          isRequired
          maxLength={128}
          note="Minute, hour, day, month, weekday: 0 9 * * 1-5 is 9:00 on weekdays."
        />
        <ZoneInput
          name="timeZone"
          label="In this zone"
          value={timeZone}
          onChange={edit('timeZone')}
          isRequired
        />
      </div>
      <NextTimes schedule={schedule} timeZone={timeZone} />
    </>
  );
}

/** When a schedule would come next, as it is written. */
function NextTimes({ schedule, timeZone }: { schedule: string; timeZone: string }) {
  const variables = useDeferredValue(`${schedule.trim()}\n${timeZone.trim()}`);
  const [wanted, zone] = variables.split('\n') as [string, string];
  const [{ data, error }] = useQuery({
    query: ScheduleTimesDocument,
    variables: { schedule: wanted, timeZone: zone },
    pause: wanted === '' || zone === '',
  });
  return (
    <output className="next-times" data-times={error ? 0 : (data?.scheduleTimes.length ?? 0)}>
      {error ? error.message.replace(/^\[\w+\] /, '') : 'It would come next'}
      {error ? null : (
        <ul>
          {data?.scheduleTimes.map((at) => (
            <li key={at}>
              <When at={at} zone={zone} />
            </li>
          ))}
        </ul>
      )}
    </output>
  );
}

function Task({ fields, edit }: Part) {
  const hasEvent = fields.kind === 'EVENT' || fields.kind === 'WEBHOOK';
  return (
    <>
      <TextInput
        name="action.reason"
        label="Reason of the task, as the agent is told"
        value={fields.reason}
        onChange={edit('reason')}
        isRequired
        note={hasEvent ? 'May hold {{event.data.…}} and {{patient.…}}.' : 'May hold {{patient.…}}.'}
      />
      <TextArea name="action.goal" label="Goal" value={fields.goal} onChange={edit('goal')} />
      <How fields={fields} edit={edit} />
      {hasEvent ? <OfEvent fields={fields} edit={edit} /> : null}
    </>
  );
}

/** What can only be told of an event. */
function OfEvent({ fields, edit }: Part) {
  return (
    <>
      <TextInput
        name="action.scheduleAt"
        label="Counted from"
        value={fields.scheduleAt}
        onChange={edit('scheduleAt')}
        placeholder="{{event.data.startsAt}}"
        note="Left empty: from when the event was true. With an instant of the event, minutes may be negative: so long before."
      />
      <TextInput
        name="action.cancelOn"
        label="Pointless after events of these types, with commas between"
        value={fields.cancelOn}
        onChange={edit('cancelOn')}
        placeholder="appointment.cancelled"
      />
    </>
  );
}

function How({ fields, edit }: Part) {
  return (
    <div className="fields">
      <Choice
        name="action.purpose"
        label="What for"
        value={fields.purpose}
        options={purposes}
        onChange={edit('purpose')}
      />
      <Choice
        name="action.channel"
        label="How"
        value={fields.channel}
        options={[{ value: 'ANY', label: 'As they are best reached' }, ...channels]}
        onChange={edit('channel')}
      />
      <Choice
        name="action.priority"
        label="Priority"
        value={fields.priority}
        options={priorities}
        onChange={edit('priority')}
      />
      <TextInput
        name="action.maxAttempts"
        type="number"
        label="Attempts"
        value={fields.maxAttempts}
        onChange={edit('maxAttempts')}
      />
      <TextInput
        name="action.delaySeconds"
        type="number"
        label="Minutes after that"
        value={fields.delayMinutes}
        onChange={edit('delayMinutes')}
      />
    </div>
  );
}
