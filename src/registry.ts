import { newId } from './clock.ts';
import type { Consent, Channel } from './domain/consent.ts';
import * as contacts from './domain/contact.ts';
import type { By, Event } from './domain/event.ts';
import * as patients from './domain/patient.ts';
import type { Patient } from './domain/patient.ts';
import { InputRefusal, NotFoundRefusal } from './domain/refusal.ts';
import { claimKey, findKey } from './idempotency.ts';
import { withdrawPointless, withdrawUnwanted } from './withdraw.ts';
import type { Transaction, World } from './world.ts';

/** A patient with the event that says what was changed; when nothing was, the last one that did. */
export interface Registered {
  patient: Patient;
  event: Event;
}

/** One event from another system. */
export interface Told {
  patient: { patientId: string } | { patientCanonicalId: string };
  type: string;
  data: Record<string, unknown>;
  effectiveAt: Date | null;
  confidence: number | null;
  supersedesId: string | null;
  idempotencyKey: string | null;
}

/** Keeps what is known of patients and of their consent. */
export function openRegistry({ world }: { world: World }) {
  /**
   * Takes a statement about a patient: known by canonical id, else by number, name and birth date, else registered.
   * A number that comes with it was given to the provider, which is recorded as consent for matters of care (C-14).
   */
  async function state(said: patients.Statement, by: By): Promise<Registered> {
    const { row, events } = await world.transact(async (tx) => {
      const phone = said.attributes['phone'] ?? null;
      const contact = phone ? await contactOf(tx, phone, by) : null;
      const known = await knownPatient(tx, said, by);
      const patient = known ?? patients.blank(newId(by.now), by.workspaceId);
      const change = tx.decide(patients, patient, patients.state(patient, said), by);
      if (contact && phone) {
        const given = { phone, patientId: patient.id, source: said.source, at: said.effectiveAt ?? by.now };
        tx.decide(contacts, contact, contacts.giveToProvider(contact, given), by);
      }
      return change;
    });
    return { patient: row, event: events.at(-1) ?? (await lastEvent(row)) };
  }

  /** Records what another system says has happened to a patient. Once for one idempotency key. */
  async function tell(told: Told, by: By): Promise<{ event: Event; replayed: boolean }> {
    const keyed = { idempotencyKey: told.idempotencyKey, operation: 'recordEvent', input: told, by };
    const resultId = newId(by.now);
    const outcome = await world.transact(async (tx) => {
      const earlier = (await findKey(tx, keyed)) ?? (await claimKey(tx, { ...keyed, resultId }));
      if (earlier) return { earlier };
      const found = await findPatient(tx, told.patient, by);
      const patient = (await tx.lock(patients, {
        workspaceId: { eq: by.workspaceId },
        id: { eq: found.id },
      }))!;
      await checkSuperseded(patient, told.supersedesId);
      const { events } = tx.decide(patients, patient, patients.tell(patient, { ...told, id: resultId }), by);
      await withdrawPointless(tx, events, by);
      return { events };
    });
    if ('events' in outcome) return { event: outcome.events[0]!, replayed: false };
    const [event] = await world.eventsOf(by.workspaceId, { ids: [outcome.earlier] });
    return { event: event!, replayed: true };
  }

  /** Adds to the consent ledger of a number. Refuses PATIENT_NOT_FOUND. */
  async function recordConsent(
    consent: Omit<Consent, 'id' | 'revokedAt' | 'revocation'>,
    by: By,
  ): Promise<Registered> {
    const patient = await findPatient(world, { patientId: consent.patientId }, by);
    const event = await world.transact(async (tx) => {
      const contact = await contactOf(tx, consent.phone, by);
      return tx.decide(contacts, contact, contacts.grant(contact, consent), by).events[0]!;
    });
    return { patient, event };
  }

  /** Takes consent back, for some channels or for all; in effect with this transaction, which cancels what is queued. */
  async function revokeConsent(
    revocation: { patientId: string; channels: Channel[] | null; reason: string },
    by: By,
  ): Promise<Registered> {
    const patient = await findPatient(world, { patientId: revocation.patientId }, by);
    const { phone } = patient;
    if (!phone)
      throw new InputRefusal([
        { path: ['patientId'], message: 'This patient has no number to revoke consent for.' },
      ]);
    const event = await world.transact(async (tx) => {
      const contact = await contactOf(tx, phone, by);
      const { events } = tx.decide(contacts, contact, contacts.revoke(contact, { ...revocation, phone }), by);
      await withdrawUnwanted(tx, { ...revocation, phone }, { event: events[0]!, by });
      return events[0]!;
    });
    return { patient, event };
  }

  async function lastEvent(patient: Patient): Promise<Event> {
    return (await world.eventsOf(patient.workspaceId, { entityIds: [patient.id] })).at(-1)!;
  }

  /** A correction names an event of the same patient. */
  async function checkSuperseded(patient: Patient, eventId: string | null): Promise<void> {
    if (eventId === null) return;
    const [event] = await world.eventsOf(patient.workspaceId, { ids: [eventId] });
    if (event?.entityId !== patient.id) {
      throw new NotFoundRefusal('NOT_FOUND', 'There is no such event of this patient to supersede.', eventId);
    }
  }

  /** How and when the patient wants to be reached, instead of what was said before. */
  async function prefer(patientId: string, preferences: patients.Preferences, by: By): Promise<Registered> {
    await findPatient(world, { patientId }, by);
    const { row, events } = await world.change(
      patients,
      patientId,
      (patient) => patients.prefer(patient, preferences),
      by,
    );
    return { patient: row, event: events[0]! };
  }

  return { state, tell, prefer, recordConsent, revokeConsent };
}

/** Keeps what is known of patients and of their consent. */
export type Registry = ReturnType<typeof openRegistry>;

/** The number's row, locked; a new one when the number has never been heard of. */
export async function contactOf(tx: Transaction, phone: string, by: By): Promise<contacts.Contact> {
  const known = await tx.lock(contacts, { workspaceId: { eq: by.workspaceId }, phone: { eq: phone } });
  return known ?? contacts.blank(newId(by.now), by.workspaceId);
}

/** A patient by id or canonical id. Refuses PATIENT_NOT_FOUND. */
export async function findPatient(
  reader: Pick<World, 'findOne'>,
  reference: { patientId: string } | { patientCanonicalId: string },
  by: By,
): Promise<Patient> {
  const where =
    'patientId' in reference
      ? { id: { eq: reference.patientId } }
      : { canonicalId: { eq: reference.patientCanonicalId } };
  const patient = await reader.findOne<Patient>(patients.table, {
    workspaceId: { eq: by.workspaceId },
    ...where,
  });
  if (patient) return patient;
  const id = 'patientId' in reference ? reference.patientId : null;
  throw new NotFoundRefusal('PATIENT_NOT_FOUND', 'There is no such patient in this workspace.', id);
}

/** Someone of this name at this number. */
export async function findPerson(
  tx: Transaction,
  who: { phone: string; name: string; birthDate: string | null },
  by: By,
): Promise<Patient | null> {
  const peers = await tx.lockEach(patients, {
    where: { workspaceId: { eq: by.workspaceId }, phone: { eq: who.phone } },
    limit: 100,
  });
  return peers.find((patient) => patients.isNamed(patient, who)) ?? null;
}

async function knownPatient(tx: Transaction, said: patients.Statement, by: By): Promise<Patient | null> {
  const { phone, name, birthDate } = said.attributes;
  if (said.canonicalId) {
    return tx.lock(patients, { workspaceId: { eq: by.workspaceId }, canonicalId: { eq: said.canonicalId } });
  }
  return phone && name ? findPerson(tx, { phone, name, birthDate: birthDate ?? null }, by) : null;
}
