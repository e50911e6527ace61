import { sql } from 'kysely';
import { lookBackMs } from '../domain/caps.ts';
import type { CallStatus } from '../domain/call.ts';
import { table as workspaces, type Workspace } from '../domain/workspace.ts';
import type { World } from '../world.ts';

type Reader = Pick<World, 'query' | 'find'>;

/** What is under way at a number. */
export type Open = 'ACTIVE' | 'UNCERTAIN';

/** Attempts at numbers that are not over, by contact: reckoned from the calls themselves, so that nothing can be leaked. */
export async function openAttempts(
  reader: Reader,
  workspaceIds: readonly string[],
  contactIds: readonly string[],
): Promise<Map<string, Open[]>> {
  const rows = await reader.query<{ contactId: string; status: CallStatus }>(sql`
    select distinct contact_id as "contactId", status from call
    where workspace_id = any(${workspaceIds}) and contact_id = any(${contactIds})
      and status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`);
  const open = new Map<string, Open[]>();
  for (const { contactId, status } of rows) {
    const known = open.get(contactId) ?? [];
    open.set(contactId, [...known, status === 'UNCERTAIN' ? 'UNCERTAIN' : 'ACTIVE']);
  }
  return open;
}

/** When patients were attempted lately, on any number; what the carrier never accepted does not count. */
export async function recentAttempts(
  reader: Reader,
  asked: {
    workspaceIds: readonly string[];
    patientIds: readonly string[];
    now: Date;
    /** A call that does not count; left out: all do. */
    exceptId?: string;
  },
): Promise<Map<string, Date[]>> {
  const since = new Date(asked.now.getTime() - lookBackMs);
  const rows = await reader.query<{ patientId: string; begun: Date[] }>(sql`
    select patient_id as "patientId", array_agg(queued_at) as begun from call
    where workspace_id = any(${asked.workspaceIds}) and patient_id = any(${asked.patientIds}) and queued_at > ${since}
      and not (status = 'FAILED' and sid is null) and id is distinct from ${asked.exceptId ?? null}
    group by patient_id`);
  return new Map(rows.map(({ patientId, begun }) => [patientId, begun]));
}

/** Workspaces by id. */
export async function workspacesOf(reader: Reader, ids: readonly string[]): Promise<Map<string, Workspace>> {
  const found = await reader.find<Workspace>(workspaces, { id: { in: ids } });
  return new Map(found.map((workspace) => [workspace.id, workspace]));
}
