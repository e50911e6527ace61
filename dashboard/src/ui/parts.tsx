import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, type ReactNode } from 'react';
import { Button as Pressable, type ButtonProps } from 'react-aria-components';
import { useNow } from '../live/clock.ts';
import { cityOf, dayAndTimeOf, dayOf, lengthOf, momentOf, timeOf, viewerZone } from './format.ts';
import { statusOf, toneOf, type Tone } from './words.ts';

/** A button. Quiet ones stand beside what they belong to. */
export function Button({
  look = 'plain',
  ...props
}: ButtonProps & { look?: 'plain' | 'main' | 'quiet' | 'danger' }) {
  return <Pressable {...props} className={`button ${look}`} />;
}

/** A status, told in words and with a colour. */
export function Pill({ status, tone }: { status: string; tone?: Tone }) {
  return <span className={`pill ${tone ?? toneOf(status)}`}>{statusOf(status)}</span>;
}

/** How long something has been so, counting on. */
export function Since({ at }: { at: string }) {
  const now = useNow();
  return <span className="number">{lengthOf(now - Date.parse(at))}</span>;
}

/** An instant on the viewer's clock, and on the patient's where that is another one. */
export function When({ at, zone }: { at: string; zone?: string | null }) {
  const differs = zone && zone !== viewerZone && timeOf(at, zone) !== timeOf(at);
  const there =
    differs && dayOf(at, zone) === dayOf(at) ? timeOf(at, zone) : differs && dayAndTimeOf(at, zone);
  return (
    <time dateTime={at} className="when">
      {momentOf(at)}
      {differs ? <small> {`${there} in ${cityOf(zone)}`}</small> : null}
    </time>
  );
}

/** A part of a view with its heading. */
export function Panel(props: { title: string; note?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  const id = `panel-${props.title.toLowerCase().replaceAll(/\W+/g, '-')}`;
  return (
    <section className="panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.note ? <p className="note">{props.note}</p> : null}
        {props.actions ? <div className="actions">{props.actions}</div> : null}
      </header>
      {props.children}
    </section>
  );
}

/** What stands where there is nothing, and what would bring something. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{title}</p>
      {children ? <p className="note">{children}</p> : null}
    </div>
  );
}

/** Something went wrong, and what to do. */
export function Problem({ message, children }: { message: string; children?: ReactNode }) {
  return (
    <div className="problem" role="alert">
      <p>{message.replace(/^\[(GraphQL|Network)\] /, '')}</p>
      {children}
    </div>
  );
}

/** What stands while something is read for the first time. */
export function Loading({ what }: { what: string }) {
  return <output className="loading">Reading {what}</output>;
}

/** A list of any length: only what is in sight is drawn. */
export function LongList<T>(props: {
  label: string;
  items: T[];
  rowHeight: number;
  keyOf: (item: T) => string;
  renderRow: (item: T) => ReactNode;
}) {
  const box = useRef<HTMLElement>(null);
  const rows = useVirtualizer({
    count: props.items.length,
    getScrollElement: () => box.current,
    estimateSize: () => props.rowHeight,
    getItemKey: (index) => props.keyOf(props.items[index]!),
    overscan: 6,
  });
  return (
    // A region that scrolls must be reachable by keyboard.
    <section className="long" ref={box} tabIndex={0} aria-label={props.label}>
      <ul style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ key, index, start, size }) => (
          <li
            key={key}
            aria-setsize={props.items.length}
            aria-posinset={index + 1}
            style={{ transform: `translateY(${start}px)`, height: size }}
          >
            {props.renderRow(props.items[index]!)}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A figure with what it counts. */
export function Figure({
  label,
  value,
  note,
  tone,
}: {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  tone?: Tone;
}) {
  return (
    <div className={`figure ${tone ?? 'quiet'}`}>
      <dt>{label}</dt>
      <dd>
        {value}
        {note ? <small>{note}</small> : null}
      </dd>
    </div>
  );
}
