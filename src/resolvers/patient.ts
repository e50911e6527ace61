import { z } from 'zod';
import * as calls from '../domain/call.ts';
import { ringSeconds } from '../domain/call.ts';
import type { Call as CallRow } from '../domain/call.ts';
import type { Event } from '../domain/event.ts';
import { decide } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient as Row } from '../domain/patient.ts';
import { mayReach, openPolicy } from '../domain/workspace.ts';
import { isFactKey } from '../domain/record.ts';
import { InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import type { PatientAccess as AccessRow } from '../domain/patient-access.ts';
import { PatientAccess, PatientAccessConnection } from '../schema/patient-access.ts';
import { builder, failure, pageCost } from '../schema/builder.ts';
import { CallConnection, Call } from '../schema/call.ts';
import { Channel, Consent, ContactDecision, Purpose } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import { WorldEvent, WorldEventConnection } from '../schema/event.ts';
import * as input from '../schema/input.ts';
import { checked, isId, optional, text } from '../schema/input.ts';
import { page } from '../schema/page.ts';
import { Patient, PatientConnection, PatientStatus } from '../schema/patient.ts';

const AddressInput = builder.inputType('AddressInput', {
  fields: (t) => ({
    line: t.string(),
    city: t.string(),
    state: t.string(),
    postalCode: t.string(),
    country: t.string(),
  }),
});

const PatientInput = builder.inputType('PatientInput', {
  fields: (t) => ({
    canonicalId: t.string({
      description: 'source:ResourceType:id; left out: found by number, name and birth date.',
    }),
    name: t.string({ required: true, description: '1-200 characters.' }),
    birthDate: t.field({ type: 'Date' }),
    phone: t.field({ type: 'E164', description: 'The number that the patient gave to the provider.' }),
    language: t.string({ description: 'BCP 47, such as en or es-US.' }),
    status: t.field({ type: PatientStatus }),
    timeZone: t.field({ type: 'TimeZone' }),
    address: t.field({ type: AddressInput }),
    facts: t.field({ type: 'JSONObject', description: 'At most 100 entries whose values are text.' }),
    tags: t.stringList({
      description: 'At most 50, each at most 64 characters; they take the place of the old ones.',
    }),
    sourceSystem: t.string({ required: true, description: 'The system that says so.' }),
    confidence: t.float({ description: 'How sure it is, 0 to 1; left out: 1.' }),
    effectiveAt: t.field({ type: 'DateTime', description: 'When it was true; left out: now.' }),
  }),
});

const addressPart = optional(text(0, 200));
const patientRules = z.object({
  canonicalId: optional(
    text(1, 256).refine((id) => /^[^:\s]+:[^:\s]+:\S+$/.test(id), {
      error: 'Must be source:ResourceType:id.',
    }),
  ),
  name: text(1, 200),
  birthDate: optional(input.calendarDate),
  phone: optional(input.phone),
  language: optional(
    z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, { error: 'Must be a BCP 47 language.' }),
  ),
  status: optional(z.enum(patients.statuses)),
  timeZone: optional(input.timeZone),
  address: optional(
    z.object({
      line: addressPart,
      city: addressPart,
      state: addressPart,
      postalCode: addressPart,
      country: addressPart,
    }),
  ),
  facts: optional(
    input
      .pairs({ entries: 100, key: 64, value: 2_000 })
      .refine((facts) => Object.keys(facts).every(isFactKey), {
        error: 'Must not name a field of the patient.',
      }),
  ),
  tags: optional(z.array(text(1, 64)).max(50, { error: 'Must be at most 50.' })),
  sourceSystem: input.sourceSystem,
  confidence: optional(input.confidence),
  effectiveAt: optional(input.instant),
});

function statementOf(value: unknown): patients.Statement {
  const { name, birthDate, phone, language, timeZone, address, sourceSystem, ...rest } = checked(
    patientRules,
    value,
  );
  const given = { name, birthDate, phone, language, timeZone };
  const places = Object.entries(address ?? {}).map(
    ([part, content]) => [`address.${part}`, content] as const,
  );
  const attributes = Object.fromEntries(
    [...Object.entries(given), ...places].filter((pair): pair is [string, string] => !!pair[1]),
  );
  return { ...rest, facts: rest.facts ?? {}, attributes, source: sourceSystem };
}

const PatientPayload = builder.objectRef<{ patient: Row; event: Event }>('PatientPayload').implement({
  fields: (t) => ({
    patient: t.expose('patient', { type: Patient }),
    event: t.expose('event', {
      type: WorldEvent,
      description: 'What was changed; when nothing was, what last did.',
    }),
  }),
});
/** What every change of a patient answers. */
export const PatientResult = answering('PatientResult', PatientPayload, InputRefusal, NotFoundRefusal);

builder.mutationFields((t) => ({
  upsertPatient: t.field({
    type: PatientResult,
    nullable: true,
    authScopes: { scope: 'patients:write' },
    description: 'Says what a system knows of a patient. Saying the same again changes nothing.',
    args: { input: t.arg({ type: PatientInput, required: true }) },
    resolve: (_, args, { registry, by }) => registry.state(statementOf(args.input), by()),
  }),
}));

builder.queryFields((t) => ({
  patient: t.field({
    type: Patient,
    nullable: true,
    authScopes: { scope: 'patients:read' },
    args: { id: t.arg.id(), canonicalId: t.arg.string() },
    description: 'By exactly one of id and canonicalId.',
    resolve: (_, { id, canonicalId }, { world, workspaceId }) => {
      if ((id == null) === (canonicalId == null)) {
        throw failure('INVALID_INPUT', 'Give exactly one of id and canonicalId.');
      }
      if (id != null && !isId(id)) return null;
      const where = id == null ? { canonicalId: { eq: canonicalId } } : { id: { eq: id } };
      return world.findOne<Row>(patients.table, { workspaceId: { eq: workspaceId }, ...where });
    },
  }),
  patients: t.connection(
    {
      type: Patient,
      authScopes: { scope: 'patients:read' }, // an empty page tells as well: its count, and who is not found
      complexity: pageCost,
      args: {
        search: t.arg.string({
          description: 'The beginnings of words of the name, or of ends of the number.',
        }),
        status: t.arg({ type: PatientStatus }),
      },
      resolve: async (_, { search, status, ...args }, { world, workspaceId }) => {
        const words = patients.termsOf(search ?? '');
        const where = {
          workspaceId: { eq: workspaceId },
          ...(status ? { status: { eq: status } } : {}),
          ...(words.length > 0 ? { searchTerms: { startsWords: words } } : {}),
        };
        const found = await page<Row>(
          args,
          ({ id }) => [id],
          ({ start, limit, inverted }) =>
            world.page(patients.table, { where, order: ['id'], descending: inverted, after: start, limit }),
        );
        return Object.assign(found, { total: () => world.count(patients.table, where) });
      },
    },
    PatientConnection,
  ),
}));

builder.objectFields(Patient, (t) => ({
  consents: t.field({
    type: [Consent],
    description: "The ledger of the patient's present number.",
    resolve: async ({ id, phone }, _, { loaders }) => {
      const contact = phone ? await loaders.contact.load(phone) : null;
      return (contact?.consents ?? []).filter(({ patientId }) => patientId === id);
    },
  }),
  accesses: t.connection(
    {
      type: PatientAccess,
      authScopes: { scope: 'workspace:read' },
      complexity: pageCost,
      description: 'Who has read of the patient, what and why; newest first.',
      resolve: ({ id }, args, { accesses, workspaceId }) =>
        page<AccessRow>(
          args,
          (access) => [access.id],
          ({ start, limit, inverted }) =>
            accesses.read({ workspaceId, patientId: id }, { after: start, limit, descending: !inverted }),
        ),
    },
    PatientAccessConnection,
  ),
  timeline: t.connection(
    {
      type: WorldEvent,
      authScopes: { scope: 'events:read' },
      complexity: pageCost,
      description: 'Newest first by effectiveAt.',
      args: {
        types: t.arg.stringList(),
        since: t.arg({ type: 'DateTime', description: 'True at this instant or later.' }),
        until: t.arg({ type: 'DateTime', description: 'True before this instant.' }),
      },
      resolve: ({ id }, { types, since, until, ...args }, { loaders }) =>
        page<Event & { position: number }>(
          args,
          ({ effectiveAt, position }) => [effectiveAt.toISOString(), position],
          ({ start, limit, inverted }) =>
            loaders.timeline(id, {
              types,
              since,
              until,
              limit,
              ascending: inverted,
              after: start && {
                effectiveAt: new Date(start[0] ?? Number.NaN),
                position: Number(start[1]),
              },
            }),
          ['instant', 'whole'],
        ),
    },
    WorldEventConnection,
  ),
  calls: t.connection(
    {
      type: Call,
      authScopes: { scope: 'calls:read' },
      complexity: pageCost,
      description: 'Newest first.',
      resolve: ({ id }, args, { loaders }) =>
        page<CallRow>(
          args,
          (call) => [call.id],
          ({ start, limit, inverted }) =>
            loaders.page(calls.table, ['patientId', id], {
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        ),
    },
    CallConnection,
  ),
  canContact: t.field({
    type: ContactDecision,
    description: 'May we contact this person now, or at the given time, and on what grounds?',
    args: {
      channel: t.arg({ type: Channel, required: true }),
      purpose: t.arg({ type: Purpose, required: true }),
      at: t.arg({ type: 'DateTime' }),
    },
    resolve: async (patient, { channel, purpose, at }, { loaders, clock, workspaceId }) => {
      const phone = patient.phone ?? null;
      const [contact, recent, workspace] = await Promise.all([
        phone ? loaders.contact.load(phone) : null,
        loaders.recent.load(patient.id),
        loaders.workspace.load(workspaceId),
      ]);
      return decide({
        patient,
        phone,
        contact,
        channel,
        purpose,
        claimed: null,
        open: contact ? await loaders.open.load(contact.id) : [],
        recent,
        policy: workspace?.policy ?? openPolicy,
        isOnAllowlist: phone === null || mayReach(workspace, phone),
        ringSeconds: channel === 'VOICE' ? ringSeconds : 0,
        now: at ?? clock.now(),
      });
    },
  }),
}));
