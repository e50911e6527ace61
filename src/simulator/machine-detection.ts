import type { Detection } from './call-order.ts';
import type { Person } from './people.ts';

/** What machine detection finds. */
export interface Verdict {
  /** Twilio: AnsweredBy. */
  readonly answeredBy: string;
  /** Seconds after the answer. */
  readonly afterSeconds: number;
}

/** What detection finds of somebody who answers, and when; `unknown` where it runs out of time. */
export function verdictOn(person: Person, detection: Detection): Verdict {
  const verdict = undisturbed(person, detection.mode);
  if (verdict.afterSeconds <= detection.timeoutSeconds) return verdict;
  return { answeredBy: 'unknown', afterSeconds: detection.timeoutSeconds };
}

/** People say hello and wait; a machine's greeting takes five seconds, and silence after it is heard only later. */
function undisturbed(person: Person, mode: Detection['mode']): Verdict {
  if (person.voice === 'human') return { answeredBy: 'human', afterSeconds: 1.5 };
  if (mode === 'Enable') return { answeredBy: 'machine_start', afterSeconds: 2.4 };
  return person.voice === 'machine with beep'
    ? { answeredBy: 'machine_end_beep', afterSeconds: 5 }
    : { answeredBy: 'machine_end_silence', afterSeconds: 6.2 };
}
