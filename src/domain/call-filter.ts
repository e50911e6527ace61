import type { Call, CallOrigin, CallStatus } from './call.ts';
import { named } from './id.ts';

/** Which calls are meant; what is left out, or null, does not narrow. */
export interface CallFilter {
  statuses?: readonly CallStatus[] | null | undefined;
  origins?: readonly CallOrigin[] | null | undefined;
  patientId?: string | null | undefined;
  campaignId?: string | null | undefined;
  tag?: string | null | undefined;
  metadata?: unknown;
  since?: Date | null | undefined;
  until?: Date | null | undefined;
}

/** Whether a call is meant. */
export function fits(call: Call, filter: CallFilter): boolean {
  const metadata = Object.entries((filter.metadata ?? {}) as Record<string, unknown>);
  return (
    (!filter.statuses || filter.statuses.includes(call.status)) &&
    (!filter.origins || filter.origins.includes(call.origin)) &&
    (filter.patientId == null || filter.patientId.toLowerCase() === call.patientId) &&
    (filter.campaignId == null || filter.campaignId.toLowerCase() === call.campaignId) &&
    (filter.tag == null || call.tags.includes(filter.tag)) &&
    metadata.every(([key, value]) => call.metadata[key] === value) &&
    (filter.since == null || call.queuedAt >= filter.since) &&
    (filter.until == null || call.queuedAt < filter.until)
  );
}

/** The same filter as conditions on rows; each has its index. What is no id is nobody's. */
export const conditions = (filter: CallFilter) => ({
  ...(filter.statuses ? { status: { in: filter.statuses } } : {}),
  ...(filter.origins ? { origin: { in: filter.origins } } : {}),
  ...(filter.patientId == null ? {} : { patientId: named(filter.patientId) }),
  ...(filter.tag == null ? {} : { tags: { has: filter.tag } }),
  ...(filter.metadata == null ? {} : { metadata: { contains: filter.metadata as Record<string, unknown> } }),
  ...(filter.since || filter.until
    ? { queuedAt: { from: filter.since ?? undefined, until: filter.until ?? undefined } }
    : {}),
  ...(filter.campaignId == null ? {} : { campaignId: named(filter.campaignId) }),
});
