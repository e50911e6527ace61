import type { PatientQuery } from '../operations.ts';
import { dayOf, wordsOf } from '../ui/format.ts';
import { Empty, Panel } from '../ui/parts.tsx';

type Facts = NonNullable<PatientQuery['patient']>['facts'];

/** What is believed of someone, each with who says so, how surely, and whom it beat. */
export function Beliefs({ facts }: { facts: Facts }) {
  return (
    <Panel title="What we believe" note="The surest source, then the newest">
      {facts.length === 0 ? <Empty title="Nobody has told us anything yet." /> : null}
      <dl className="beliefs">
        {facts.map(({ key, value, confidence, effectiveAt, event, beaten, source }) => (
          <div key={key}>
            <dt>{wordsOf(key)}</dt>
            <dd>
              {value}
              <small>{`${event.sourceSystem ?? source}, ${Math.round(confidence * 100)} % sure, ${dayOf(effectiveAt)}`}</small>
              {beaten.map((other) => (
                <small key={`${other.source} ${other.value}`} className="beaten">
                  {`${other.source} says ${other.value}`}
                </small>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
