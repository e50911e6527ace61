import { useId, type ReactNode } from 'react';
import type { Channel, Purpose } from '../operations.ts';
import { cityOf, viewerZone, wordsOf } from './format.ts';

/** One line of text. */
export function TextInput(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  isRequired?: boolean;
  maxLength?: number;
  type?: 'text' | 'time' | 'datetime-local' | 'date' | 'number' | 'search';
  placeholder?: string;
  note?: string;
}) {
  const id = useId();
  return (
    <div className="label">
      <label htmlFor={id}>{props.label}</label>
      <input
        id={id}
        type={props.type ?? 'text'}
        value={props.value}
        required={props.isRequired ?? false}
        maxLength={props.maxLength ?? 256}
        placeholder={props.placeholder}
        aria-describedby={props.note ? `${id}-note` : undefined}
        onChange={(event) => props.onChange(event.target.value)}
      />
      {props.note ? <small id={`${id}-note`}>{props.note}</small> : null}
    </div>
  );
}

/** One of a few values. */
export function Choice<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}) {
  const id = useId();
  return (
    <div className="label">
      <label htmlFor={id}>{props.label}</label>
      <select id={id} value={props.value} onChange={(event) => props.onChange(event.target.value as T)}>
        {props.options.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

const named = <T extends string>(values: readonly T[]) =>
  values.map((value) => ({ value, label: wordsOf(value) }));

/** Why someone is contacted. */
export const purposes = named<Purpose>([
  'APPOINTMENT_REMINDER',
  'WELLNESS_CHECKUP',
  'PRE_REGISTRATION',
  'PRE_OP_INSTRUCTIONS',
  'LAB_RESULTS',
  'POST_DISCHARGE_FOLLOW_UP',
  'PRESCRIPTION',
  'HOME_HEALTHCARE',
  'CARE_PLAN',
  'SCHEDULING',
  'BILLING',
  'MARKETING',
  'OTHER',
]);

/** How someone is contacted. */
export const channels = named<Channel>(['VOICE', 'TEXT', 'VOICEMAIL']);

/** A moment, on the patient's clock or the viewer's. */
export function MomentInput(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  zone: string | null;
  isRequired?: boolean;
}): ReactNode {
  const zone = props.zone ?? viewerZone;
  const note = zone === viewerZone ? undefined : `On their clock, in ${cityOf(zone)}`;
  return (
    <TextInput
      type="datetime-local"
      label={props.label}
      value={props.value}
      onChange={props.onChange}
      isRequired={props.isRequired ?? false}
      {...(note ? { note } : {})}
    />
  );
}
