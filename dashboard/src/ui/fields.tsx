import { useId, type ReactNode } from 'react';
import type { Channel, Purpose } from '../operations.ts';
import { useFault } from './faults.ts';
import { cityOf, viewerZone, wordsOf } from './format.ts';

/** What every field has. */
interface Field {
  label: string;
  /** Its name in the API's input, such as action.reason: what the API says of it is told beside it. */
  name?: string;
  note?: string | undefined;
}

/** A field's label, its note, and what is wrong with it; `children` is given what ties the input to them. */
function Labelled({
  label,
  name,
  note,
  children,
}: Field & { children: (tied: Record<string, unknown>) => ReactNode }) {
  const id = useId();
  const fault = useFault(name);
  const described = [fault ? `${id}-fault` : null, note ? `${id}-note` : null].filter(Boolean).join(' ');
  return (
    <div className="label">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-invalid': fault ? true : undefined, 'aria-describedby': described || undefined })}
      {fault ? (
        <small id={`${id}-fault`} className="fault">
          {fault}
        </small>
      ) : null}
      {note ? <small id={`${id}-note`}>{note}</small> : null}
    </div>
  );
}

interface Text extends Field {
  value: string;
  onChange: (value: string) => void;
  isRequired?: boolean;
  maxLength?: number;
  placeholder?: string;
}

/** One line of text. */
export function TextInput(
  props: Text & {
    type?: 'text' | 'time' | 'datetime-local' | 'date' | 'number' | 'search' | 'tel';
    list?: string;
    min?: number;
    max?: number;
  },
) {
  const { type = 'text', list, min, max } = props;
  return (
    <Labelled {...props}>
      {(tied) => (
        <input
          {...tied}
          type={type}
          value={props.value}
          required={props.isRequired ?? false}
          maxLength={props.maxLength ?? 256}
          placeholder={props.placeholder}
          list={list}
          min={min}
          max={max}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Labelled>
  );
}

/** Several lines of text. */
export function TextArea(props: Text) {
  return (
    <Labelled {...props}>
      {(tied) => (
        <textarea
          {...tied}
          rows={3}
          value={props.value}
          required={props.isRequired ?? false}
          maxLength={props.maxLength ?? 2_000}
          placeholder={props.placeholder}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Labelled>
  );
}

/** One of a few values. */
export function Choice<T extends string>(
  props: Field & {
    value: T;
    options: readonly { value: T; label: string }[];
    onChange: (value: T) => void;
  },
) {
  return (
    <Labelled {...props}>
      {(tied) => (
        <select {...tied} value={props.value} onChange={(event) => props.onChange(event.target.value as T)}>
          {props.options.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  );
}

/** Some of a few values. */
export function Choices<T extends string>(
  props: Field & {
    values: readonly T[];
    options: readonly { value: T; label: string }[];
    onChange: (values: T[]) => void;
  },
) {
  const id = useId();
  const fault = useFault(props.name);
  const { values } = props;
  const toggle = (value: T) =>
    props.onChange(values.includes(value) ? values.filter((one) => one !== value) : [...values, value]);
  return (
    <fieldset
      className={props.options.length > 6 ? 'scopes' : ''}
      aria-invalid={fault ? true : undefined}
      aria-describedby={fault ? `${id}-fault` : undefined}
      tabIndex={-1}
    >
      <legend>{props.label}</legend>
      {props.options.map(({ value, label }) => (
        <label key={value} className="check">
          <input type="checkbox" checked={values.includes(value)} onChange={() => toggle(value)} />
          {label}
        </label>
      ))}
      {fault ? (
        <small id={`${id}-fault`} className="fault">
          {fault}
        </small>
      ) : null}
    </fieldset>
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

/** How urgent something is. */
export const priorities = Array.from({ length: 10 }, (_, index) => ({
  value: String(index + 1),
  label: { 1: '1, the most urgent', 5: '5, as usual', 10: '10, the least' }[index + 1] ?? String(index + 1),
}));

/** A moment, on the patient's clock or the viewer's. */
export function MomentInput(props: Text & { zone: string | null }): ReactNode {
  const zone = props.zone ?? viewerZone;
  const note = zone === viewerZone ? undefined : `On their clock, in ${cityOf(zone)}`;
  return <TextInput {...props} type="datetime-local" note={note} />;
}

/** A zone of the world, by its name; those that are usual here are offered. */
export function ZoneInput(props: Text) {
  const id = useId();
  return (
    <>
      <TextInput {...props} list={id} />
      <datalist id={id}>
        {zones.map((zone) => (
          <option key={zone} value={zone}>
            {zone}
          </option>
        ))}
      </datalist>
    </>
  );
}

const zones = [
  'America/New_York',
  'America/Chicago',
  'America/Denver',
  'America/Phoenix',
  'America/Los_Angeles',
  'America/Anchorage',
  'Pacific/Honolulu',
  'America/Puerto_Rico',
];

/** What a list is written as in one line, with commas between. */
export const listOf = (text: string): string[] => text.split(/[,\n]/).flatMap((part) => part.trim() || []);

/** A number that was written; null: nothing was. */
export const numberOf = (text: string): number | null => (text.trim() === '' ? null : Number(text));
