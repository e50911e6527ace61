import { sql } from 'kysely';
import { newId, type Clock } from './clock.ts';
import { table, type PatientAccess } from './domain/patient-access.ts';
import type { Log } from './logger.ts';
import type { World } from './world.ts';

/** Who has read what of whom. */
type Read = Pick<PatientAccess, 'workspaceId' | 'patientId' | 'actor' | 'subject' | 'purpose'>;

/** For how long reads are gathered before they are written together, in milliseconds. */
const gatherMs = 1_000;

/** How many rows are written with one statement. */
const batch = 2_000;

/** How many rows wait at the most, while Postgres does not take them. */
const waitingLimit = 100_000;

/**
 * Remembers who reads of a patient. No read waits for it: they are gathered, those that are alike as one, and written
 * together. What was gathered when a process is killed is lost; a second of reads at the most.
 */
export function openPatientAccess({ world, clock, log }: { world: World; clock: Clock; log: Log }) {
  let waiting = new Map<string, PatientAccess>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  let lost = 0;

  function note(read: Read): void {
    const name = `${read.patientId} ${read.actor} ${read.subject} ${read.purpose}`;
    const known = waiting.get(name);
    if (known) known.reads += 1;
    else if (waiting.size < waitingLimit) {
      const at = clock.now();
      waiting.set(name, { ...read, id: newId(at), at, reads: 1 });
    } else lost += 1;
    timer ??= setTimeout(() => void flush(), gatherMs);
  }

  /** Writes what was gathered; resolves once that is written, or has failed and waits again. */
  function flush(): Promise<void> {
    if (timer) clearTimeout(timer);
    timer = null;
    writing = writing.then(write);
    return writing;
  }

  async function write(): Promise<void> {
    const rows = [...waiting];
    waiting = new Map();
    for (let start = 0; start < rows.length; start += batch) {
      try {
        await insert(rows.slice(start, start + batch).map(([, row]) => row));
      } catch (error) {
        log('who has read of patients could not be written; it is tried again', error);
        for (const [name, row] of rows.slice(start)) waiting.set(`${name} ${row.id}`, row);
        timer ??= setTimeout(() => void flush(), gatherMs);
        return;
      }
    }
    if (lost > 0) log(`${lost} reads of patients could not be kept`);
    lost = 0;
  }

  const insert = (rows: PatientAccess[]) =>
    world.query(sql`insert into patient_access (workspace_id, id, patient_id, actor, subject, purpose, at, reads)
      select * from unnest(${rows.map((row) => row.workspaceId)}::uuid[], ${rows.map((row) => row.id)}::uuid[],
        ${rows.map((row) => row.patientId)}::uuid[], ${rows.map((row) => row.actor)}::text[],
        ${rows.map((row) => row.subject)}::text[], ${rows.map((row) => row.purpose ?? null)}::text[],
        ${rows.map((row) => row.at)}::timestamptz[], ${rows.map((row) => row.reads)}::int[]) on conflict do nothing`);

  return {
    note,
    /** A page of who has read of a patient, by the newest; what this process has gathered is in it. */
    read: async (
      { workspaceId, patientId }: { workspaceId: string; patientId: string },
      wanted: { after: string[] | undefined; limit: number; descending: boolean },
    ): Promise<PatientAccess[]> => {
      await flush();
      const where = { workspaceId: { eq: workspaceId }, patientId: { eq: patientId } };
      return world.page<PatientAccess>(table, { where, order: ['id'], ...wanted });
    },
    close: flush,
  };
}

/** Who has read of patients. */
export type PatientAccesses = ReturnType<typeof openPatientAccess>;
