import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** What of a patient is read: the patient, or something that tells of one. */
export const subjects = ['PATIENT', 'CALL', 'OUTBOUND_TASK', 'CONVERSATION', 'VOICEMAIL', 'EVENT'] as const;
/** One of `subjects`. */
export type Subject = (typeof subjects)[number];

/** Who has read of a patient, what, and why: one row for the reads of a second that are alike. */
export const table = defineEntity({
  name: 'PatientAccess',
  tableName: 'patient_access',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    patientId: p.uuid(),
    /** Who: a key's id, or our own agent. */
    actor: p.text(),
    subject: p.text().$type<Subject>(),
    /** As the client has stated it; null: it has not. */
    purpose: p.text().nullable(),
    /** The first of these reads. */
    at: p.datetime(),
    reads: p.integer(),
  },
  indexes: [{ name: 'patient_access_patient', properties: ['workspaceId', 'patientId', 'id'] }],
});
/** One row. */
export interface PatientAccess extends InferEntity<typeof table> {}

/** A purpose as a client may state it, such as HL7's TREAT, HPAYMT and HOPERAT; anything else is none. */
export const purposeOf = (stated: unknown): string | null =>
  typeof stated === 'string' && /^[A-Z][A-Z0-9_]{1,31}$/.test(stated) ? stated : null;
