import { z } from 'zod';
import { isZone } from '../domain/calendar.ts';
import { channels } from '../domain/consent.ts';
import { e164 } from '../domain/phone.ts';
import { isStorable } from '../domain/storable.ts';
import { InputRefusal, type FieldFault } from '../domain/refusal.ts';

/** Checks an input by its rules and answers it cleaned, or refuses INVALID_INPUT with one entry for each field at fault. */
export function checked<S extends z.ZodType>(
  rules: S,
  value: unknown,
  root: string[] = ['input'],
): z.output<S> {
  const parsed = rules.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = new Map<string, FieldFault>();
  for (const { path: field, message } of parsed.error.issues) {
    const path = [...root, ...field.map(String)];
    const name = JSON.stringify(path);
    if (!faults.has(name)) faults.set(name, { path, message });
  }
  throw new InputRefusal([...faults.values()]);
}

/** Characters as people count them: code points, not UTF-16 units. */
const lengthOf = (text: string) => Array.from(text).length;

/** Text of `from` to `to` characters. Postgres cannot hold NUL, nor JSON half of a surrogate pair. */
export const text = (from: number, to: number) =>
  z
    .string({ error: 'Must be text.' })
    .refine((value) => !value.includes('\0') && value.isWellFormed(), {
      error: 'Must be valid Unicode without NUL.',
    })
    .refine((value) => lengthOf(value.trim() === '' ? '' : value) >= from && lengthOf(value) <= to, {
      error:
        from === to
          ? `Must be ${from} characters.`
          : `Must be ${from} to ${to} characters${from > 0 ? ', not only spaces' : ''}.`,
    });

/** Left out, null and absent are one: null. */
export const optional = <S extends z.ZodType>(rules: S) =>
  rules.nullish().transform((value): z.output<S> | null => value ?? null);

export const phone = z.string().regex(e164, {
  error: 'Must be E.164: + and 1 to 15 digits, the first of them 1 to 9, such as +14155550100.',
});

/** An id; in capitals it is the same one. */
export const uuid = z
  .guid({ error: 'Must be an id, such as 01890a5d-ac96-774b-bcce-b302099a8057.' })
  .toLowerCase();

/** Whether a text can name anything: ids are UUIDs. */
export const isId = (id: string): boolean => uuid.safeParse(id).success;

export const instant = z.date({ error: 'Must be an ISO 8601 instant, such as 2026-03-02T15:00:00Z.' });

export const calendarDate = z.iso
  .date({ error: 'Must be a calendar date, such as 1980-02-29.' })
  .refine((date) => !date.startsWith('0000'), { error: 'There is no year 0.' }); // neither for Postgres

export const timeZone = z
  .string()
  .refine(isZone, { error: 'Must be an IANA time zone, such as America/Phoenix.' });

export const wallTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'Must be a wall time, HH:MM, such as 08:30.' });

/** A window; what is left out is every day and the whole day. */
export const localWindow = z.object({
  weekdays: optional(
    z.array(z.int().min(1, 'Must be 1 to 7.').max(7, 'Must be 1 to 7.')).max(7, 'Must be at most 7.'),
  ).transform((weekdays) => [...new Set(weekdays ?? [])].toSorted((a, b) => a - b)),
  opensAt: optional(wallTime).transform((time) => time ?? '00:00'),
  closesAt: optional(wallTime).transform((time) => time ?? '00:00'),
});

/** A few windows; open where any of them is. */
export const localWindows = optional(
  z.array(localWindow).max(20, { error: 'Must be at most 20.' }),
).transform((windows) => windows ?? []);

/** A whole number from `least` to `most`; left out: `other`. */
export const whole = (least: number, most: number, other: number) => {
  const error = `Must be ${least.toLocaleString('en')} to ${most.toLocaleString('en')}.`;
  return optional(z.int({ error }).min(least, { error }).max(most, { error })).transform(
    (value) => value ?? other,
  );
};

/** The channel of a task; left out: VOICE. */
export const taskChannel = optional(z.enum(channels));

/** A key of at most 128 characters that its sender makes up. */
export const idempotencyKey = optional(text(1, 128));

/** Anything but an object with a key __proto__, which zod would leave out without a word. */
const withoutPrototype = z.unknown().refine((value) => !Object.hasOwn(Object(value) as object, '__proto__'), {
  error: 'Must not have a key __proto__.',
});

/** At most `entries` pairs of text, such as metadata. */
export const pairs = ({ entries, key, value }: { entries: number; key: number; value: number }) =>
  withoutPrototype
    .pipe(
      z.record(text(1, key), z.string({ error: 'Must be text.' }), {
        error: 'Must be an object whose values are text.',
      }),
    )
    .refine((object) => Object.keys(object).length <= entries, {
      error: `Must have at most ${entries} entries.`,
    })
    .superRefine((object, context) => {
      for (const [name, content] of Object.entries(object)) {
        const parsed = text(0, value).safeParse(content);
        if (!parsed.success)
          context.addIssue({ code: 'custom', path: [name], message: parsed.error.issues[0]!.message });
      }
    });

/** 0 to 1. */
export const confidence = z
  .number()
  .min(0, { error: 'Must be 0 to 1.' })
  .max(1, { error: 'Must be 0 to 1.' });

/** The name of another system. */
export const sourceSystem = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, {
  error: 'Must be 1 to 64 letters, digits, dots, dashes or underscores.',
});

/** A JSON object of at most 64 KiB whose texts Postgres can hold. */
export const jsonObject = withoutPrototype
  .pipe(z.record(z.string(), z.unknown(), { error: 'Must be a JSON object.' }))
  .refine((object) => JSON.stringify(object).length <= 65_536, { error: 'Must be at most 64 KiB.' })
  .refine(isStorable, { error: 'Must hold valid Unicode without NUL.' });
