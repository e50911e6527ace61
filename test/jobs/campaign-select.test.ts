/** Who is selected and why not: the one statement in the database against the pure gate. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { candidates, select, selectListed, type Selection } from '../../src/campaign/select.ts';
import { newId } from '../../src/clock.ts';
import { believed } from '../../src/domain/belief.ts';
import * as campaigns from '../../src/domain/campaign.ts';
import type { Campaign } from '../../src/domain/campaign.ts';
import { members } from '../../src/domain/campaign-run.ts';
import {
  bases,
  channels,
  purposes,
  type Channel,
  type ContactBlock,
  type ContactDecision,
  type Purpose,
} from '../../src/domain/consent.ts';
import * as contacts from '../../src/domain/contact.ts';
import type { Contact } from '../../src/domain/contact.ts';
import type { By } from '../../src/domain/event.ts';
import { decide } from '../../src/domain/gate.ts';
import * as patients from '../../src/domain/patient.ts';
import type { Patient } from '../../src/domain/patient.ts';
import { isAllowed } from '../../src/domain/phone.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask } from '../../src/domain/task.ts';
import * as progress from '../../src/domain/task-progress.ts';
import { openPolicy } from '../../src/domain/workspace.ts';
import type { Transaction, World } from '../../src/world.ts';
import { aTuesday } from '../support/clock.ts';
import { withWorld } from '../support/database.ts';
import { anyCampaign } from './crowd.ts';
import { tries } from '../support/exhaustive.ts';

const now = new Date(aTuesday);
const today = '2026-03-03';
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000);

/** Numbers that people share: one cannot exist, and one costs whoever is called. */
const open = ['+12125550101', '+12125550102', '+13125550103', '+14155550104', '+18085550105'];
const [invalid, barred] = ['+15555551234', '+19002345678'];

/** What became of a task of an earlier run: the facts, and what they mean for the next one. */
const fates = {
  SCHEDULED: { isOpen: true, isReached: false, attempts: 0 },
  SNOOZED: { isOpen: true, isReached: false, attempts: 0 },
  DISPATCHED: { isOpen: true, isReached: false, attempts: 1 },
  RUNNING: { isOpen: true, isReached: false, attempts: 1 },
  COMPLETED: { isOpen: false, isReached: true, attempts: 1 },
  'not answered': { isOpen: false, isReached: false, attempts: 1 },
  'not taken': { isOpen: false, isReached: false, attempts: 0 },
  'blocked for good': { isOpen: false, isReached: false, attempts: 0 },
  CANCELLED: { isOpen: false, isReached: false, attempts: 0 },
  'out of time': { isOpen: false, isReached: false, attempts: 0 },
  'never told how it ended': { isOpen: false, isReached: false, attempts: 1 },
} satisfies Record<string, { isOpen: boolean; isReached: boolean; attempts: number }>;
type Fate = keyof typeof fates;

interface Earlier {
  fate: Fate;
  hours: number;
  /** Of another campaign: it does not count. */
  isOthers: boolean;
  /** Its time is over, though nobody has said so yet. */
  isOutlived: boolean;
}

type Step =
  | {
      grant: {
        channels: Channel[];
        purposes: Purpose[];
        basis: (typeof bases)[number];
        evidence: string | null;
      };
    }
  | { revoke: Channel[] }
  | { optOut: true };

interface Person {
  status: patients.Statement['status'];
  phone: string | null;
  system: string;
  steps: { step: Step; hours: number }[];
  blocked: Channel[];
  facts: { value: string; system: string; confidence: number }[];
  tags: string[];
  earlier: Earlier[];
  isMemberToday: boolean;
}

const some = <T>(values: readonly T[]) => fc.subarray([...values]);
const system = fc.constantFrom('ehr', 'pms', 'test-bench');
const weighted = <T>(...given: [weight: number, value: T][]) =>
  fc.oneof(...given.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));

const everything = { channels: [...channels], purposes: [...purposes] };
const wide = fc.record({
  grant: fc.record({
    channels: fc.constant(everything.channels),
    purposes: fc.constant(everything.purposes),
    basis: fc.constant('PRIOR_EXPRESS_WRITTEN' as const),
    evidence: fc.constant('form'),
  }),
});
const narrow = fc.record({
  grant: fc.record({
    channels: some(channels),
    purposes: some(purposes),
    basis: fc.constantFrom(...bases),
    evidence: fc.constantFrom(null, 'form'),
  }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: wide },
  { weight: 3, arbitrary: narrow },
  { weight: 1, arbitrary: fc.record({ revoke: some(channels) }) },
  { weight: 1, arbitrary: fc.constant({ optOut: true as const }) },
);
/** Few hours to choose from, so that a grant and its revocation are often of the same instant. */
const hours = fc.integer({ min: 0, max: 6 }).map((hour) => hour * 8);

const person: fc.Arbitrary<Person> = fc.record({
  status: weighted<Person['status']>([12, 'ACTIVE'], [1, 'INACTIVE'], [1, 'DECEASED'], [1, 'TEST']),
  phone: weighted([1, null], [1, invalid], [1, barred], ...open.map((phone): [number, string] => [3, phone])),
  system,
  steps: fc.oneof(
    { weight: 3, arbitrary: fc.array(fc.record({ step: wide, hours }), { minLength: 1, maxLength: 1 }) },
    { weight: 2, arbitrary: fc.array(fc.record({ step, hours }), { maxLength: 4 }) },
  ),
  blocked: fc.oneof(
    { weight: 9, arbitrary: fc.constant<Channel[]>([]) },
    { weight: 1, arbitrary: some(channels) },
  ),
  facts: fc.array(
    fc.record({
      value: fc.constantFrom('high', 'low'),
      system,
      confidence: fc.constantFrom(0.5, 1),
    }),
    { maxLength: 3 },
  ),
  tags: some(['flu', 'senior', 'new']),
  earlier: fc.array(
    fc.record({
      fate: fc.constantFrom(...(Object.keys(fates) as Fate[])),
      hours,
      isOthers: weighted([3, false], [1, true]),
      isOutlived: weighted([3, false], [1, true]),
    }),
    { maxLength: 2 },
  ),
  isMemberToday: weighted([9, false], [1, true]),
});

const scene = fc.record({
  people: fc.array(person, { minLength: 5, maxLength: 40 }),
  purpose: fc.constantFrom(...purposes),
  sandbox: weighted([6, false], [1, true]),
  sandboxAllows: some(open),
  allowlist: fc.oneof(
    { weight: 4, arbitrary: fc.constant([] as string[]) },
    { weight: 1, arbitrary: fc.subarray(open, { minLength: 1 }) },
  ),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  cooldownHours: fc.constantFrom(0, 8, 20, 48),
  audience: fc.record({
    facts: weighted<Record<string, string>>([3, {}], [1, { risk: 'high' }], [1, { 'it\'s "odd"': 'x' }]),
    sourceSystems: weighted<string[]>([3, []], [1, ['ehr']], [1, ['ehr', 'pms']]),
    tags: weighted<string[]>([3, []], [1, ['flu']], [1, ['flu', 'senior']]),
  }),
});
type Scene = typeof scene extends fc.Arbitrary<infer S> ? S : never;

/** What is in the database, and what a member of it should be told. */
interface Stored {
  described: Person;
  patient: Patient;
  contact: Contact | null;
}

const wantedOf = (campaign: Campaign, patient: Patient, campaignId: string) => ({
  patientId: patient.id,
  phone: patient.phone ?? '',
  isPhoneNamed: false,
  phoneFrom: '+14155550199',
  channel: 'VOICE' as const,
  isChannelNamed: true,
  reason: campaign.reason,
  goal: null,
  purpose: campaign.purpose,
  priority: 5,
  scheduledFor: now.toISOString(),
  window: null,
  validUntil: null,
  maxAttempts: 1,
  backoffSeconds: 0,
  serviceId: null,
  campaignId,
  triggerId: null,
  origin: 'CAMPAIGN' as const,
  tags: [],
  metadata: {},
  cancelOn: [],
  requestedBy: 'test',
});

/** What happens to a task until it has come to its fate; its attempt, if there is one, begins at `at`. */
function happenings(fate: Fate, at: Date): ((task: OutboundTask) => ReturnType<typeof progress.cancel>)[] {
  const callId = newId(at);
  const decision = { allowed: true, blocks: [] as ContactBlock[] } as ContactDecision;
  const attempt = { callId, phone: open[0]!, decision, chainId: callId };
  const dispatch = (task: OutboundTask) => progress.dispatch(task, attempt, at);
  const end = (sequel: progress.Sequel) => (task: OutboundTask) =>
    progress.endAttempt(task, { callId, outcome: 'busy' }, sequel);
  const failed = { becomes: 'failed', reason: 'busy' } as const;
  const out: Record<Fate, ((task: OutboundTask) => ReturnType<typeof progress.cancel>)[]> = {
    SCHEDULED: [],
    SNOOZED: [
      () => [{ type: 'outbound.snoozed', data: { nextAttemptAt: at.toISOString(), nextAttemptReason: '' } }],
    ],
    DISPATCHED: [dispatch],
    RUNNING: [dispatch, (task) => progress.run(task, callId)],
    COMPLETED: [dispatch, end({ becomes: 'completed' })],
    'not answered': [dispatch, end({ ...failed, counted: true })],
    'not taken': [dispatch, end({ ...failed, counted: false })],
    'blocked for good': [(task) => progress.block(task, decision, failed)],
    CANCELLED: [(task) => progress.cancel(task, null)],
    'out of time': [(task) => progress.block(task, decision, { ...failed, becomes: 'timed_out' })],
    'never told how it ended': [
      dispatch,
      (task) => progress.timeOut(task, new Date(at.getTime() + tasks.leaseMs)),
    ],
  };
  return out[fate];
}

/** Records people as their events tell, all in one transaction. */
function storePeople(
  tx: Transaction,
  { campaign, people, by }: { campaign: Campaign; people: Person[]; by: By },
): Stored[] {
  const numbers = new Map<string, Contact>();
  const stored = people.map((described): Stored & { described: Person } => {
    const blank = patients.blank(newId(now), by.workspaceId);
    const { phone, tags, status, system: source } = described;
    const attributes = { name: 'Ada', ...(phone === null ? {} : { phone }) };
    const said = { attributes, tags, status: status ?? null, source };
    let patient = tx.decide(patients, blank, patients.state(blank, said), by).row;
    for (const { value, system: from, confidence } of described.facts) {
      const fact = { attributes: {}, facts: { risk: value }, source: from, confidence };
      patient = tx.decide(patients, patient, patients.state(patient, fact), by).row;
    }
    const wishes = { preferredChannel: null, blockedChannels: described.blocked, windows: [] };
    patient = tx.decide(patients, patient, patients.prefer(patient, wishes), by).row;
    for (const taken of phone === null ? [] : described.steps) {
      const before = numbers.get(phone!) ?? contacts.blank(newId(now), by.workspaceId);
      const facts = factsOf(before, taken, { phone: phone!, patientId: patient.id });
      const { row } = tx.decide(contacts, before, facts, { ...by, now: hoursAgo(taken.hours) });
      if (facts.length > 0) numbers.set(phone!, row);
    }
    for (const earlier of described.earlier) storeTask(tx, { campaign, patient, earlier, by });
    return { described, patient, contact: null };
  });
  return stored.map((one) => ({ ...one, contact: numbers.get(one.patient.phone ?? '') ?? null }));
}

function factsOf(
  contact: Contact,
  { step: taken, hours: ago }: Person['steps'][number],
  whose: { phone: string; patientId: string },
): ReturnType<typeof contacts.revoke> {
  const at = hoursAgo(ago);
  if ('grant' in taken) {
    const consent = { ...taken.grant, ...whose, grantedAt: at.toISOString(), method: 'form' };
    return [{ type: 'contact.consent_granted', effectiveAt: at, data: consent }];
  }
  const taking = { ...whose, reason: 'asked', channels: 'revoke' in taken ? taken.revoke : null };
  return contacts.revoke(contact, taking);
}

function storeTask(
  tx: Transaction,
  given: { campaign: Campaign; patient: Patient; earlier: Earlier; by: By },
): void {
  const { campaign, patient, earlier, by } = given;
  const at = hoursAgo(earlier.hours);
  const blank = tasks.blank(newId(at), by.workspaceId);
  const wanted = {
    ...wantedOf(campaign, patient, earlier.isOthers ? newId(at) : campaign.id),
    validUntil: (earlier.isOutlived ? now : new Date(now.getTime() + 1)).toISOString(),
  };
  let task = tx.decide(tasks, blank, progress.schedule(blank, wanted), { ...by, now: at }).row;
  for (const happen of happenings(earlier.fate, at))
    task = tx.decide(tasks, task, happen(task), { ...by, now: at }).row;
}

/** Whether a patient is looked at. */
const isMeant = ({ patient }: Stored, { facts, sourceSystems, tags }: Campaign['audience']): boolean =>
  Object.entries(facts).every(([key, value]) => believed(patient.beliefs, key) === value) &&
  tags.every((tag) => patient.tags.includes(tag)) &&
  (sourceSystems.length === 0 ||
    Object.values(patient.beliefs).some((list) => list.some(({ source }) => sourceSystems.includes(source))));

/** Why someone is left out, as the pure rules say. */
function reasonOf(stored: Stored, { campaign, workspace }: Pick<Selection, 'campaign' | 'workspace'>) {
  const { patient, contact, described } = stored;
  const phone = patient.phone ?? null;
  const isListed = (list: string[]) => phone !== null && list.includes(phone);
  const decision = decide({
    patient,
    phone,
    contact,
    channel: 'VOICE',
    purpose: campaign.purpose,
    claimed: null,
    open: [],
    recent: [],
    policy: openPolicy,
    isOnAllowlist:
      phone !== null &&
      isAllowed(phone) &&
      (!workspace.sandbox || isListed(workspace.allowlist)) &&
      (campaign.allowlist.length === 0 || isListed(campaign.allowlist)),
    ringSeconds: 30,
    now,
  });
  const forGood = decision.blocks.find((block) => !progress.passes(block));
  return forGood ?? ownReasonOf(described, campaign);
}

function ownReasonOf({ earlier, isMemberToday }: Person, campaign: Campaign): ContactBlock | null {
  const own = earlier
    .filter(({ isOthers }) => !isOthers)
    .map((task) => ({ ...task, ...fates[task.fate] }))
    .map((task) => ({ ...task, isOpen: task.isOpen && (task.attempts > 0 || !task.isOutlived) }));
  if (isMemberToday || own.some(({ isOpen }) => isOpen)) return 'ACTIVE_CONTACT';
  const attempts = own.reduce((sum, task) => sum + task.attempts, 0);
  if (own.some(({ isReached }) => isReached) || attempts >= campaign.maxAttempts) return 'ATTEMPTS_EXHAUSTED';
  const isRecent = own.some((task) => task.attempts > 0 && task.hours < campaign.cooldownHours);
  return isRecent ? 'COOLDOWN' : null;
}

/** A scene, stored in a workspace of its own. */
async function store(world: World, { people, sandbox, sandboxAllows, ...settings }: Scene) {
  const workspaceId = newId(now);
  const by: By = { workspaceId, actor: 'test', source: 'api', now };
  const { purpose, allowlist, maxAttempts, cooldownHours, audience } = settings;
  const campaign: Campaign = {
    ...campaigns.blank(newId(now), workspaceId),
    ...anyCampaign,
    purpose,
    allowlist,
    maxAttempts,
    cooldownHours,
    audience,
  };
  const stored = await world.transact(async (tx) => {
    const given = storePeople(tx, { campaign, people, by });
    for (const { patient, described } of given) {
      const member = { workspaceId, campaignId: campaign.id, date: today, phone: null, taskId: null };
      const held = { ...member, runId: workspaceId, patientId: patient.id, reason: null, isReleased: false };
      if (described.isMemberToday) await tx.insert(members, held);
    }
    return given;
  });
  const workspace = { sandbox, allowlist: sandboxAllows };
  return { stored, selection: { campaign, workspace, date: today, now } };
}

type Reasons = Record<string, ContactBlock | null>;

async function reasonsIn(world: World, runId: string): Promise<Reasons> {
  const rows = await world.query<{ id: string; reason: ContactBlock | null }>(sql`
    select patient_id as id, reason from campaign_member where run_id = ${runId}`);
  return Object.fromEntries(rows.map(({ id, reason }) => [id, reason]));
}

/** The reasons that a preview reads, a few people at a time. */
async function reasonsByPage(world: World, selection: Selection): Promise<Reasons> {
  const reasons: Reasons = {};
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const page = await world.query<{ patient_id: string; reason: ContactBlock | null }>(
      candidates({ ...selection, page: { after, limit: 7 } }),
    );
    for (const { patient_id: id, reason } of page) reasons[id] = reason;
    if (page.length < 7) return reasons;
    after = page.at(-1)!.patient_id;
  }
}

test(
  'everybody of the audience is a member, or left out for the reason that the gate would give for good',
  () =>
    withWorld(async (world) => {
      await fc.assert(
        fc.asyncProperty(scene, async (given) => {
          const { stored, selection } = await store(world, given);
          const runId = newId(now);
          const selected = await world.transact((tx) => select(tx, { ...selection, runId }));
          const expected: Reasons = Object.fromEntries(
            stored
              .filter((one) => isMeant(one, selection.campaign.audience))
              .map((one) => [one.patient.id, reasonOf(one, selection)]),
          );
          const reasons = await reasonsIn(world, runId);
          expect(reasons).toEqual(expected);
          const countOf = (wanted: ContactBlock | null) =>
            Object.values(expected).filter((reason) => reason === wanted).length;
          expect(selected.eligible).toBe(countOf(null));
          for (const { reason, count } of selected.exclusions) expect(count).toBe(countOf(reason));
          const left = selected.exclusions.reduce((sum, { count }) => sum + count, 0);
          expect(selected.eligible + left).toBe(Object.keys(expected).length);
          // Whoever has become a member is one today: asked again, only that has changed.
          const again = Object.fromEntries(
            Object.entries(expected).map(([id, reason]) => [id, reason ?? 'ACTIVE_CONTACT']),
          );
          expect(await reasonsByPage(world, selection)).toEqual(again);
        }),
        { numRuns: tries(150) },
      );
    }),
  60_000,
);

test('the time of day leaves nobody out, and neither do caps: the gate decides that at the dial', () =>
  withWorld(async (world) => {
    const described = { ...willing, earlier: [missed(40, true)] };
    const { selection } = await store(world, sceneOf([described]));
    const atNight = { ...selection, now: new Date('2026-03-04T08:00:00Z'), runId: newId(now) };
    expect(await world.transact((tx) => select(tx, atNight))).toEqual({ eligible: 1, exclusions: [] });
  }));

const sceneOf = (people: Person[]): Scene => ({
  people,
  purpose: 'WELLNESS_CHECKUP',
  sandbox: false,
  sandboxAllows: [],
  allowlist: [],
  maxAttempts: 1,
  cooldownHours: 0,
  audience: { facts: {}, sourceSystems: [], tags: [] },
});

const missed = (ago: number, isOthers = false): Earlier => ({
  fate: 'not answered',
  hours: ago,
  isOthers,
  isOutlived: false,
});

/** Somebody who may be called. */
const willing: Person = {
  status: 'ACTIVE',
  phone: open[0]!,
  system: 'ehr',
  steps: [{ step: { grant: { ...everything, basis: 'PRIOR_EXPRESS', evidence: null } }, hours: 40 }],
  blocked: [],
  facts: [],
  tags: [],
  earlier: [],
  isMemberToday: false,
};

const examples: [reason: ContactBlock | null, differs: Partial<Person>][] = [
  [null, {}],
  ['PATIENT_INACTIVE', { status: 'INACTIVE' }],
  ['PATIENT_DECEASED', { status: 'DECEASED' }],
  ['PATIENT_TEST', { status: 'TEST' }],
  ['PHONE_MISSING', { phone: null }],
  ['PHONE_INVALID', { phone: invalid }],
  ['NOT_ALLOWLISTED', { phone: barred }],
  ['CONSENT_REVOKED', { steps: [...willing.steps, { step: { revoke: ['VOICE'] }, hours: 40 }] }],
  [null, { steps: [...willing.steps, { step: { revoke: ['VOICE'] }, hours: 48 }] }],
  [null, { steps: [...willing.steps, { step: { revoke: ['TEXT'] }, hours: 8 }] }],
  ['NO_LEGAL_BASIS', { steps: [] }],
  ['DO_NOT_CONTACT', { steps: [...willing.steps, { step: { optOut: true }, hours: 8 }] }],
  ['CHANNEL_BLOCKED', { blocked: ['VOICE'] }],
  ['ACTIVE_CONTACT', { isMemberToday: true }],
  ['ACTIVE_CONTACT', { earlier: [{ ...missed(0), fate: 'RUNNING' }] }],
  [null, { earlier: [{ ...missed(40), fate: 'SNOOZED', isOutlived: true }] }],
  ['ATTEMPTS_EXHAUSTED', { earlier: [missed(40), missed(40)] }],
  ['ATTEMPTS_EXHAUSTED', { earlier: [{ ...missed(40), fate: 'COMPLETED' }] }],
  ['COOLDOWN', { earlier: [missed(16)] }],
  ['COOLDOWN', { earlier: [{ ...missed(16), fate: 'never told how it ended' }] }],
  [null, { earlier: [missed(24)] }],
  [null, { earlier: [missed(16, true)] }],
];

test('each reason has an example, and so has whoever only just may be called', () =>
  withWorld(async (world) => {
    for (const [reason, differs] of examples) {
      const scenery = {
        ...sceneOf([{ ...willing, ...differs }]),
        maxAttempts: 2,
        cooldownHours: 20 as const,
      };
      const { stored, selection } = await store(world, scenery);
      const runId = newId(now);
      await world.transact((tx) => select(tx, { ...selection, runId }));
      expect(await reasonsIn(world, runId), JSON.stringify(differs)).toEqual({
        [stored[0]!.patient.id]: reason,
      });
    }
  }));

test('a call list takes one person for each number, whatever the eligibility filters say, and nobody twice a day', () =>
  withWorld(async (world) => {
    const base = {
      system: 'ehr',
      steps: [],
      blocked: ['VOICE' as const],
      facts: [],
      tags: [],
      isMemberToday: false,
    };
    const exhausted: Earlier = { fate: 'COMPLETED', hours: 8, isOthers: false, isOutlived: false };
    const { stored, selection } = await store(
      world,
      sceneOf([
        { ...base, status: 'TEST', phone: open[0]!, earlier: [] },
        { ...base, status: 'ACTIVE', phone: open[0]!, earlier: [exhausted] },
        { ...base, status: 'ACTIVE', phone: open[1]!, earlier: [], isMemberToday: true },
        { ...base, status: 'ACTIVE', phone: open[2]!, earlier: [] },
      ]),
    );
    const { campaign } = selection;
    const listed = (runId: string) =>
      world.transact((tx) => selectListed(tx, { campaign, date: today, runId, phones: open.slice(0, 2) }));
    const [first, second] = [newId(now), newId(now)];
    const left = { reason: 'ACTIVE_CONTACT', count: 1 };
    expect(await listed(first)).toEqual({ eligible: 1, exclusions: [left] });
    const ids = stored.map(({ patient }) => patient.id);
    expect(await reasonsIn(world, first)).toEqual({ [ids[1]!]: null, [ids[2]!]: 'ACTIVE_CONTACT' });
    expect(await listed(second)).toEqual({ eligible: 0, exclusions: [{ ...left, count: 2 }] });
  }));
