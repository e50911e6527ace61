import { sql } from 'kysely';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';

const ours = '+14155550199';
const unlimited = { SOURCE_NUMBER_CALLS_PER_MINUTE: '1000' };
const decision = `{ allowed blocks basis localTime timeZone nextAllowedAt policyVersion decidedAt }`;
const call = async (app: App, patientId: string, more: object = {}) => {
  const input = { patientId, phoneFrom: ours, reason: 'Check-up', ...more };
  return (await app.ask(placeCall, { input })).data.placeCall;
};
const blocksOf = async (app: App, patientId: string, more: object = {}) =>
  (await call(app, patientId, more)).decision?.blocks ?? [];
const end = async (app: App, callId: string) =>
  app.follow(callId, (status) => ['COMPLETED', 'BUSY', 'FAILED', 'NO_ANSWER', 'CANCELED'].includes(status));

test('nobody is called before eight or after eight where they may be, and is told from when (C-01, C-02, C-04)', () =>
  withApp(
    async (app) => {
      await setUp(app);
      const eastern = await addPatient(app, '+12125550100', 'Ada East');
      const { data } = await app.ask(
        `mutation { upsertPatient(input: { name: "Bea Both", phone: "+13055550100", sourceSystem: "ehr",
          address: { city: "Seattle", state: "WA", postalCode: "98101", country: "US" } }) {
        ... on PatientPayload { patient { id timeZone timeZoneSource canContact(channel: VOICE, purpose: LAB_RESULTS) ${decision} } } } }`,
      );
      const both = data.upsertPatient.patient;
      expect(both).toMatchObject({ timeZone: 'America/Los_Angeles', timeZoneSource: 'ADDRESS' });
      // 08:05 in New York is 05:05 in Seattle: a Florida number does not open it.
      expect(both.canContact).toMatchObject({
        allowed: false,
        blocks: ['OUTSIDE_CALLING_HOURS'],
        localTime: expect.stringMatching(/^2026-03-03T05:05:\d\d-08:00$/), // the clock goes on
        nextAllowedAt: '2026-03-03T16:00:00.000Z',
      });
      expect(await blocksOf(app, both.id)).toEqual(['OUTSIDE_CALLING_HOURS']);
      expect((await call(app, eastern)).__typename).toBe('PlaceCallPayload');
    },
    { ...unlimited, CLOCK_START: '2026-03-03T13:05:00Z', SIM_PACE: '50' },
  ));

test('what the patient prefers is kept, also under consent: channels and windows', () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await addPatient(app, '+12125550100');
    const prefer = (input: string) =>
      app.ask(`mutation { setContactPreferences(patientId: "${id}", input: ${input}) {
        ... on PatientPayload { event { type } patient { preferences { preferredChannel blockedChannels windows { weekdays opensAt closesAt } }
          canContact(channel: VOICE, purpose: LAB_RESULTS) ${decision} } }
        ... on InputError { code fields { path } } } }`);
    const mornings = await prefer(
      '{ preferredChannel: TEXT, windows: [{ opensAt: "09:00", closesAt: "12:00" }] }',
    );
    expect(mornings.data.setContactPreferences).toMatchObject({
      event: { type: 'patient.preferences_set' },
      patient: {
        preferences: {
          preferredChannel: 'TEXT',
          blockedChannels: [],
          windows: [{ weekdays: [], opensAt: '09:00', closesAt: '12:00' }],
        },
        // It is 14:00 in New York.
        canContact: { blocks: ['OUTSIDE_PREFERRED_WINDOW'], nextAllowedAt: '2026-03-04T14:00:00.000Z' },
      },
    });
    expect(await blocksOf(app, id)).toEqual(['OUTSIDE_PREFERRED_WINDOW']);
    await prefer('{ blockedChannels: [VOICE] }');
    expect(await blocksOf(app, id)).toEqual(['CHANNEL_BLOCKED']);
    const wrong = await prefer('{ windows: [{ weekdays: [8], opensAt: "25:00" }] }');
    expect(wrong.data.setContactPreferences).toEqual({
      code: 'INVALID_INPUT',
      fields: [
        { path: ['input', 'windows', '0', 'weekdays', '0'] },
        { path: ['input', 'windows', '0', 'opensAt'] },
      ],
    });
    await prefer('{}');
    expect((await call(app, id)).__typename).toBe('PlaceCallPayload');
  }, unlimited));

test('under the healthcare exemption a patient is called once a day, whatever number is used (C-25)', () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await addPatient(app, '+12125550100');
    const exempt = { basis: 'HEALTHCARE_EXEMPTION', purpose: 'LAB_RESULTS' };
    const first = await call(app, id, exempt);
    await end(app, first.call.id);
    expect(await blocksOf(app, id, exempt)).toEqual(['FREQUENCY_CAP']);
    expect(await blocksOf(app, id, { ...exempt, phoneTo: '+12125550108' })).toEqual(['FREQUENCY_CAP']);
    expect((await call(app, id)).__typename).toBe('PlaceCallPayload'); // consent has the organization's own caps
  }, unlimited));

test('an organization sets its own hours, caps, cooldown and sandbox, within the law', () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await addPatient(app, '+12125550100');
    const policy = async (input: string) =>
      (
        await app.ask(`mutation { setPolicy(input: ${input}) {
          ... on PolicyPayload { workspace { sandbox allowlist hours { opensAt closesAt } attemptsPerDay attemptsPerWeek cooldownMinutes } }
          ... on InputError { code fields { path } } } }`)
      ).data.setPolicy;
    expect(await policy('{ hours: [{ opensAt: "09:00", closesAt: "13:00" }] }')).toMatchObject({
      workspace: {
        hours: [{ opensAt: '09:00', closesAt: '13:00' }],
        attemptsPerDay: null,
        cooldownMinutes: 0,
      },
    });
    expect(await blocksOf(app, id)).toEqual(['OUTSIDE_CALLING_HOURS']);
    await policy('{ hours: [], attemptsPerDay: 1 }');
    await end(app, (await call(app, id)).call.id);
    expect(await blocksOf(app, id)).toEqual(['FREQUENCY_CAP']);
    await policy('{ attemptsPerDay: 0, cooldownMinutes: 30 }');
    expect(await blocksOf(app, id)).toEqual(['COOLDOWN']);
    await policy('{ cooldownMinutes: 0, sandbox: true, allowlist: ["+12125550101"] }');
    expect(await call(app, id)).toMatchObject({ __typename: 'InputError', code: 'DESTINATION_NOT_ALLOWED' });
    expect((await call(app, id, { phoneTo: '+12125550101', basis: 'PRIOR_EXPRESS' })).__typename).toBe(
      'PlaceCallPayload',
    );
    expect(await policy('{ attemptsPerDay: -1, allowlist: ["1"] }')).toMatchObject({ code: 'INVALID_INPUT' });
  }, unlimited));

test('a revocation wins over a grant that is told of later, by when each happened', () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await addPatient(app, '+12125550100');
    const consent = (more: string) =>
      app.ask(`mutation { recordConsent(input: { patientId: "${id}", phone: "+12125550100", channels: [VOICE],
        purposes: [LAB_RESULTS], basis: PRIOR_EXPRESS, method: "form", ${more} }) {
        ... on PatientPayload { patient { consents { grantedAt revokedAt revocation } } } ... on InputError { code fields { path } } } }`);
    const results = { purpose: 'LAB_RESULTS' };
    await app.ask(
      `mutation { revokeConsent(patientId: "${id}", channels: [VOICE], reason: "asked") { __typename } }`,
    );
    expect(await blocksOf(app, id, results)).toEqual(['CONSENT_REVOKED']);
    await consent('grantedAt: "2026-01-01T00:00:00Z"');
    expect(await blocksOf(app, id, results)).toEqual(['CONSENT_REVOKED']);
    const later = await consent('grantedAt: "2026-03-03T20:00:00Z"');
    expect(later.data.recordConsent.patient.consents.at(-1)).toMatchObject({ revokedAt: null });
    expect((await call(app, id, results)).__typename).toBe('PlaceCallPayload');
    // Who asked never to be contacted is contacted again only after an act of their own, with its evidence (C-39).
    await app.ask(`mutation { revokeConsent(patientId: "${id}", reason: "never again") { __typename } }`);
    const unproved = await consent('grantedAt: "2026-03-03T21:00:00Z"');
    expect(unproved.data.recordConsent).toMatchObject({
      code: 'INVALID_INPUT',
      fields: [{ path: ['input', 'evidence'] }],
    });
  }, unlimited));

test('who opts out while the phone rings is left alone at once, and is not called again (C-27)', () =>
  withApp(
    async (app) => {
      await setUp(app);
      const id = await addPatient(app, '+12125550102'); // rings out
      const placed = await call(app, id);
      await app.follow(placed.call.id, (status) => status === 'RINGING');
      await app.ask(
        `mutation { revokeConsent(patientId: "${id}", reason: "leave me alone") { __typename } }`,
      );
      expect(await blocksOf(app, id)).toContain('DO_NOT_CONTACT');
      expect((await end(app, placed.call.id)).at(-1)).toBe('CANCELED');
      const { data } = await app.ask(
        `{ call(id: "${placed.call.id}") { events { type actor causationId } patient { timeline { edges { node { id type } } } } } }`,
      );
      const optOut = data.call.patient.timeline.edges.find(
        ({ node }: { node: { type: string } }) => node.type === 'contact.opted_out',
      );
      // The carrier was asked to end it because of the opt-out; its callback may overtake its own answer.
      const { type, ...ended } = data.call.events.at(-1);
      expect(type).toBe('call.canceled');
      expect([
        { actor: 'stop-ringing', causationId: optOut.node.id },
        { actor: 'carrier', causationId: null },
      ]).toContainEqual(ended);
      expect((await app.ledger()).filter(({ kind }) => kind === 'update')).toHaveLength(1);
    },
    { ...unlimited, SIM_PACE: '2' },
  ));

test('a changed number carries no consent over but that of its own giving (C-15)', () =>
  withApp(async (app) => {
    const id = await addPatient(app, '+12125550100');
    await app.ask(`mutation { recordConsent(input: { patientId: "${id}", phone: "+12125550100", channels: [VOICE],
      purposes: [MARKETING], basis: PRIOR_EXPRESS_WRITTEN, method: "signed form", evidence: "scan 12" }) { __typename } }`);
    const may = async (purpose: string) =>
      (
        await app.ask(
          `{ patient(id: "${id}") { phone canContact(channel: VOICE, purpose: ${purpose}) { blocks basis } } }`,
        )
      ).data.patient;
    expect(await may('MARKETING')).toMatchObject({
      canContact: { blocks: [], basis: 'PRIOR_EXPRESS_WRITTEN' },
    });
    const canonical = `mutation { upsertPatient(input: { name: "Ada Lovelace", phone: "+12125550101", canonicalId: "ehr:Patient:7",
      sourceSystem: "ehr" }) { ... on PatientPayload { patient { id } } } }`;
    const moved = (await app.ask(canonical)).data.upsertPatient.patient.id;
    await app.ask(canonical.replace('0101', '0102'));
    const { data } = await app.ask(`{ patient(id: "${moved}") { phone consents { phone purposes }
      marketing: canContact(channel: VOICE, purpose: MARKETING) { blocks }
      results: canContact(channel: VOICE, purpose: LAB_RESULTS) { basis } } }`);
    expect(data.patient).toMatchObject({
      phone: '+12125550102',
      consents: [{ phone: '+12125550102' }],
      marketing: { blocks: ['NO_LEGAL_BASIS'] },
      results: { basis: 'PRIOR_EXPRESS' },
    });
  }));

test('a zone that is none is refused when it is written; of whom no zone is known only what is open everywhere is open (C-03)', () =>
  withApp(
    async (app) => {
      const upsert = (more: string) =>
        app.ask(`mutation { upsertPatient(input: { name: "Una", sourceSystem: "ehr", ${more} }) {
          ... on PatientPayload { patient { timeZone timeZoneSource canContact(channel: VOICE, purpose: LAB_RESULTS) ${decision} } }
          ... on InputError { code fields { path } } } }`);
      for (const zone of ['Mars/Olympus', 'EST5EDT', '+05:00', '']) {
        const refused = await upsert(`timeZone: "${zone}"`);
        expect(refused.data.upsertPatient).toEqual({
          code: 'INVALID_INPUT',
          fields: [{ path: ['input', 'timeZone'] }],
        });
      }
      const { data } = await upsert('phone: "+18005550100"'); // toll-free: from anywhere
      expect(data.upsertPatient.patient).toMatchObject({
        timeZone: null,
        timeZoneSource: 'UNKNOWN',
        // 12:00 in New York is 7:00 in Honolulu.
        canContact: {
          blocks: expect.arrayContaining(['OUTSIDE_CALLING_HOURS', 'TIME_ZONE_UNKNOWN']),
          nextAllowedAt: '2026-03-03T18:00:00.000Z',
        },
      });
    },
    { CLOCK_START: '2026-03-03T17:00:00Z' },
  ));

test('of fifty who ask at once for one number, one dials', () =>
  withApp(
    async (app) => {
      await setUp(app);
      const id = await addPatient(app, '+12125550121'); // who stays on the line, however slow the machine is
      const answers = await Promise.all(Array.from({ length: 50 }, () => call(app, id)));
      expect(answers.filter(({ __typename }) => __typename === 'PlaceCallPayload')).toHaveLength(1);
      expect(answers.filter(({ decision: said }) => said?.blocks[0] === 'ACTIVE_CONTACT')).toHaveLength(49);
      const dials = (await app.ledger()).filter(({ kind, accepted }) => kind === 'create' && accepted);
      expect(dials).toHaveLength(1);
    },
    { ...unlimited, CARRIER_CPS: '1000' },
  ));

test('a number that somebody else holds for too long is told as such, and leaves no trace', () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await addPatient(app, '+12125550100');
    const holder = await app.world.orm.em.getConnection().getClient().startTransaction().execute();
    try {
      await sql`select 1 from phone_number for update`.execute(holder);
      expect(await call(app, id)).toMatchObject({
        __typename: 'LimitError',
        code: 'NUMBER_SELECTION_TIMEOUT',
        retryAfterSeconds: 1,
      });
    } finally {
      await holder.rollback().execute();
    }
    expect((await call(app, id)).__typename).toBe('PlaceCallPayload');
  }, unlimited));

test('every call stores the one decision that allowed it, younger than five seconds when the carrier was asked', () =>
  withApp(async (app) => {
    await setUp(app);
    for (const last of ['0100', '0101', '0110', '0115']) {
      await call(app, await addPatient(app, `+1212555${last}`, `P ${last}`));
    }
    const { data } = await app.ask(
      `{ calls { edges { node { queuedAt decision { allowed blocks basis decidedAt } events { type recordedAt data } } } } }`,
    );
    expect(data.calls.edges).toHaveLength(4);
    for (const { node } of data.calls.edges) {
      expect(node.decision).toMatchObject({ allowed: true, blocks: [], basis: 'PRIOR_EXPRESS' });
      const initiated = node.events.filter(({ type }: { type: string }) => type === 'outbound.initiated');
      expect(initiated).toHaveLength(1);
      expect(initiated[0].data.decision.decidedAt).toBe(node.decision.decidedAt);
      const answered = node.events.find(({ type }: { type: string }) => type !== 'outbound.initiated');
      expect(Date.parse(answered.recordedAt) - Date.parse(node.decision.decidedAt)).toBeLessThan(5_000);
    }
  }, unlimited));

test('canContact for a page of a hundred patients costs as many statements as for one', () =>
  withApp(
    async (app) => {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          addPatient(app, `+1212555${String(100 + i).padStart(4, '0')}`, `Page ${i}`),
        ),
      );
      const page = (first: number) =>
        app.ask(
          `{ patients(first: ${first}) { edges { node { canContact(channel: VOICE, purpose: LAB_RESULTS) { allowed } } } } }`,
        );
      await page(1); // the key is believed from here on
      const statements = vi.spyOn(pg.Client.prototype, 'query');
      const one = await page(1).then(() => statements.mock.calls.length);
      statements.mockClear();
      const { data } = await page(100);
      expect(
        data.patients.edges.map(({ node }: { node: { canContact: object } }) => node.canContact),
      ).toEqual(Array.from({ length: 100 }, () => ({ allowed: true })));
      expect(statements.mock.calls.length).toBeLessThanOrEqual(one);
      expect(one).toBeLessThan(10);
      statements.mockRestore();
    },
    { ROLE: 'api' }, // nothing but the request asks Postgres
  ));
