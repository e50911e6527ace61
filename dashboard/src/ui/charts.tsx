import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import { countOf } from './format.ts';

/** One thing that is counted, with the colour that it has in every chart. */
export interface Series {
  key: string;
  label: string;
  /** A fill of base.css, by its name. */
  colour: 'good' | 'busy' | 'warn' | 'bad' | 'accent' | 'muted' | 'line';
}

/** One column of a chart. */
export type Column = { label: string } & Record<string, number | string>;

/** Columns, stacked where there are several series; its numbers stand in a table beneath it. */
export function Columns(props: { title: string; series: Series[]; columns: Column[]; percent?: boolean }) {
  const { series, columns, percent = false } = props;
  const say = (value: number) => (percent ? `${Math.round(value * 100)} %` : countOf(value));
  return (
    <figure className="chart">
      <figcaption>
        <span>{props.title}</span>
        <Legend series={series} />
      </figcaption>
      <div className="plot" aria-hidden="true">
        <ResponsiveContainer width="100%" height={220}>
          <BarChart
            data={columns}
            margin={{ top: 8, right: 8, bottom: 0, left: 0 }}
            accessibilityLayer={false}
          >
            <CartesianGrid vertical={false} stroke="var(--line)" />
            <XAxis dataKey="label" tickLine={false} axisLine={false} tick={tick} minTickGap={12} />
            <YAxis
              width={52}
              tickLine={false}
              axisLine={false}
              tick={tick}
              allowDecimals={percent}
              tickFormatter={(value: number) => say(value)}
              {...(percent ? { domain: [0, 1] } : {})}
            />
            <Tooltip
              cursor={{ fill: 'var(--quiet-soft)' }}
              contentStyle={card}
              formatter={(value, name) => [say(Number(value)), String(name)]}
            />
            {series.map(({ key, label, colour }) => (
              <Bar
                key={key}
                dataKey={key}
                name={label}
                stackId="all"
                fill={`var(--fill-${colour})`}
                maxBarSize={44}
                isAnimationActive={false}
              />
            ))}
          </BarChart>
        </ResponsiveContainer>
      </div>
      <Numbers {...props} say={say} />
    </figure>
  );
}

const tick = { fill: 'var(--muted)', fontSize: 12 };
const card = { background: 'var(--surface)', border: '1px solid var(--line)', borderRadius: 8, fontSize: 13 };

function Legend({ series }: { series: Series[] }) {
  if (series.length < 2) return null;
  return (
    <ul className="legend">
      {series.map(({ key, label, colour }) => (
        <li key={key}>
          <span className={`swatch of-${colour}`} aria-hidden="true" />
          {label}
        </li>
      ))}
    </ul>
  );
}

function Numbers(props: {
  title: string;
  series: Series[];
  columns: Column[];
  say: (value: number) => string;
}) {
  return (
    <details>
      <summary>The numbers</summary>
      <section className="scroll" tabIndex={0} aria-label={`Numbers of ${props.title}`}>
        <table className="counts">
          <caption className="hidden">{props.title}</caption>
          <thead>
            <tr>
              <th scope="col">
                <span className="hidden">Of</span>
              </th>
              {props.series.map(({ key, label }) => (
                <th scope="col" key={key}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.columns.map((column) => (
              <tr key={column.label}>
                <th scope="row">{column.label}</th>
                {props.series.map(({ key }) => (
                  <td key={key}>{props.say(Number(column[key] ?? 0))}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
