import type { DecisionFragment } from '../operations.ts';
import { When } from '../ui/parts.tsx';
import { cityOf } from '../ui/format.ts';
import { bases, blocks } from '../ui/words.ts';

/** What the gate says, in words: yes and on what grounds, or no, all the reasons, and when to try again. */
export function Decision({ decision }: { decision: DecisionFragment }) {
  const { allowed, basis, localTime, timeZone, nextAllowedAt } = decision;
  return (
    <div className={`decision ${allowed ? 'good' : 'bad'}`} data-allowed={allowed}>
      <p className="answer">{allowed ? 'Yes' : 'Not now'}</p>
      {allowed && basis ? <p>{bases[basis]}</p> : null}
      {allowed ? null : (
        <ul>
          {decision.blocks.map((block) => (
            <li key={block}>{blocks[block]}</li>
          ))}
        </ul>
      )}
      {nextAllowedAt && !allowed ? (
        <p>
          Time alone would allow it <When at={nextAllowedAt} zone={timeZone} />.
        </p>
      ) : null}
      <p className="note">
        {localTime
          ? `It is ${clockTime(localTime)} where they are${timeZone ? ` (${cityOf(timeZone)})` : ''}. `
          : ''}
        {`Rules of ${decision.policyVersion}.`}
      </p>
    </div>
  );
}

/** 14:05, of an ISO local time or a time of day. */
const clockTime = (local: string) => /\d{2}:\d{2}/.exec(local.split('T').at(-1) ?? local)?.[0] ?? local;
