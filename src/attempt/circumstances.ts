import { sql } from 'kysely';
import { lookBackMs } from '../domain/caps.ts';
import type { ContactDecision } from '../domain/consent.ts';
import { table as workspaces, type Workspace } from '../domain/workspace.ts';
import type { World } from '../world.ts';

type Reader = Pick<World, 'prepared' | 'find'>;

/** What is under way at a number. */
export type Open = 'ACTIVE' | 'UNCERTAIN';

/**
 * Attempts at numbers that are not over, by contact: reckoned from the calls, voicemails and messages themselves, so that
 * nothing can be leaked.
 */
export async function openAttempts(
  reader: Reader,
  workspaceIds: readonly string[],
  contactIds: readonly string[],
): Promise<Map<string, Open[]>> {
  const here = sql`workspace_id = any(${workspaceIds}) and contact_id = any(${contactIds})`;
  const rows = await reader.prepared<{ contactId: string; open: Open }>(sql`
    select contact_id as "contactId", case when status = 'UNCERTAIN' then 'UNCERTAIN' else 'ACTIVE' end as open from call
      where ${here} and status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')
    union select contact_id, case when is_uncertain then 'UNCERTAIN' else 'ACTIVE' end from voicemail
      where ${here} and status = 'PENDING'
    union select contact_id, 'ACTIVE' from message where ${here} and status = 'PENDING'`);
  const open = new Map<string, Open[]>();
  for (const { contactId, open: state } of rows) open.set(contactId, [...(open.get(contactId) ?? []), state]);
  return open;
}

/** When patients were attempted lately, on any number and channel; what the carrier never accepted does not count, nor does an answer to them. */
export async function recentAttempts(
  reader: Reader,
  asked: {
    workspaceIds: readonly string[];
    patientIds: readonly string[];
    now: Date;
    /** An attempt that does not count; left out: all do. */
    exceptId?: string;
  },
): Promise<Map<string, Date[]>> {
  const since = new Date(asked.now.getTime() - lookBackMs);
  const here = sql`workspace_id = any(${asked.workspaceIds}) and patient_id = any(${asked.patientIds})
    and id is distinct from ${asked.exceptId ?? null}`;
  const rows = await reader.prepared<{ patientId: string; begun: Date[] }>(sql`
    select patient_id as "patientId", array_agg(at) as begun from (
      select patient_id, queued_at as at from call
        where ${here} and queued_at > ${since} and not (status = 'FAILED' and sid is null)
      union all select patient_id, queued_at from voicemail
        where ${here} and queued_at > ${since} and not (status = 'FAILED' and carrier_reference is null)
      union all select patient_id, at from message
        where ${here} and at > ${since} and direction = 'OUTBOUND' and not is_reply
          and not (status = 'UNDELIVERED' and sid is null)) attempt
    group by patient_id`);
  return new Map(rows.map(({ patientId, begun }) => [patientId, begun]));
}

/** How old the gate's decision may be when somebody outside is asked to act on it, in milliseconds. */
const decisionMs = 5_000;

/** Whether a decision has grown old: a process that was frozen must not do what others gave up. */
export const isStale = ({ decidedAt }: ContactDecision, now: Date): boolean =>
  now.getTime() - Date.parse(decidedAt) > decisionMs;

/** Workspaces by id. */
export async function workspacesOf(reader: Reader, ids: readonly string[]): Promise<Map<string, Workspace>> {
  const found = await reader.find<Workspace>(workspaces, { id: { in: ids } });
  return new Map(found.map((workspace) => [workspace.id, workspace]));
}
