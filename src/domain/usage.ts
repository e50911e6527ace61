import { LimitRefusal } from './refusal.ts';
import type { Workspace } from './workspace.ts';

/** The calendar month of an instant, in UTC: how it is called, its beginning, and that of the next one. */
export function monthOf(now: Date): { name: string; start: Date; end: Date } {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const start = new Date(Date.UTC(year, month));
  return { name: start.toISOString().slice(0, 7), start, end: new Date(Date.UTC(year, month + 1)) };
}

type Limited = Pick<Workspace, 'limitMinutes' | 'alertPercents'>;

/** Whether so many minutes are all that a workspace may use. */
export const isSpent = ({ limitMinutes }: Limited, minutes: number): boolean =>
  limitMinutes != null && minutes >= limitMinutes;

/** The highest threshold that so many minutes have come to, in percent of the limit; null: none. */
export const reachedOf = ({ limitMinutes, alertPercents }: Limited, minutes: number): number | null =>
  limitMinutes == null
    ? null
    : Math.max(0, ...alertPercents.filter((percent) => minutes * 100 >= limitMinutes * percent)) || null;

/** When a workspace may call again whose minutes are used up; null: now. */
export const spentUntil = (
  workspace: Pick<Workspace, 'spentUntil'> | null | undefined,
  now: Date,
): Date | null => (workspace?.spentUntil && workspace.spentUntil > now ? workspace.spentUntil : null);

/** Refuses USAGE_LIMIT_EXCEEDED where the minutes of the month are used up. */
export function checkUsage(workspace: Workspace | null, now: Date): void {
  const until = spentUntil(workspace, now);
  if (!until) return;
  const message = `This workspace has used its ${workspace!.limitMinutes} call minutes of this month. It may call again from ${until.toISOString()}.`;
  throw new LimitRefusal('USAGE_LIMIT_EXCEEDED', message, (until.getTime() - now.getTime()) / 1000);
}
