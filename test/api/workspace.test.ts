/** What a workspace holds, who may see it, and what is believed of its patients. */
import { createHash, randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { openWorkspaces } from '../../src/provision.ts';
import { schema } from '../../src/resolvers/index.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { talksOf, text } from '../support/texts.ts';
import { created, move, reaches, run, runOf } from './campaigns.ts';
import { addUseCase, send, upload } from '../support/voicemails.ts';
import { scheduled } from './tasks.ts';
import { fire, trigger, write } from './triggers.ts';

const unlimited = { API_KEY_REQUESTS_PER_MINUTE: '100000' };

const codes = ({ errors }: Answer) => errors?.map(({ extensions }) => extensions?.['code']);

async function makeWorkspace(app: App, name = 'Clinic B'): Promise<{ id: string; key: string }> {
  const { data } = await app.ask(
    `mutation ($name: String!) { createWorkspace(name: $name) {
      ... on WorkspacePayload { secret workspace { id } }
    } }`,
    { name },
  );
  return { id: data.createWorkspace.workspace.id, key: data.createWorkspace.secret };
}

async function makeKey(app: App, scopes: string[], key = app.key) {
  const { data } = await app.ask(
    `mutation ($scopes: [String!]!) { createApiKey(name: "made", scopes: $scopes) {
      __typename
      ... on ApiKeyPayload { secret apiKey { id name scopes createdAt revokedAt } }
      ... on Error { code message }
    } }`,
    { scopes },
    key,
  );
  return data.createApiKey;
}

const closedWith = (error: unknown) => ({
  message: 'closed',
  extensions: { code: (error as { code?: number }).code },
});

/** A subscription over WebSocket; what it has told is collected until it is disposed of. */
function listen(app: App, query: string, key: string) {
  const client = createClient({
    url: `${app.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
  const results: Answer[] = [];
  client.subscribe(
    { query },
    {
      next: (result) => results.push(result as Answer),
      error: (error) =>
        results.push({ data: null, errors: Array.isArray(error) ? error : [closedWith(error)] }),
      complete: () => {},
    },
  );
  return { results, [Symbol.asyncDispose]: async () => client.dispose() };
}

const subscribers = (app: App, wanted: number) =>
  eventually(async () => {
    const text = await (await fetch(`${app.url}/metrics`)).text();
    const count = Number(/^callwell_live_subscribers (\d+)$/m.exec(text)?.[1]);
    if (count !== wanted) throw new Error(`${count} subscribers`);
    return true;
  });

test('a key of the organization makes a workspace, whose first key works in it and makes no others', () =>
  withApp(async (app) => {
    const { id, key } = await makeWorkspace(app, 'Clinic B');
    const { data } = await app.ask('{ workspace { id name sandbox } }', {}, key);
    expect(data.workspace).toEqual({ id, name: 'Clinic B', sandbox: false });
    const again = await app.ask('mutation { createWorkspace(name: "Clinic C") { __typename } }', {}, key);
    expect(codes(again)).toEqual(['FORBIDDEN']);
    for (const name of ['', '   ', 'x'.repeat(101)]) {
      const refused = await app.ask(
        `mutation ($name: String!) { createWorkspace(name: $name) { ... on InputError { code fields { path } } } }`,
        { name },
      );
      expect(refused.data.createWorkspace).toEqual({ code: 'INVALID_INPUT', fields: [{ path: ['name'] }] });
    }
  }));

/** One thing of every kind, made in the default workspace; its call stays in progress. */
async function makeEverything(app: App) {
  const { numberId, serviceId } = await setUp(app, '+14155550199');
  const CANONICAL = 'fhir:Patient:alpha-1';
  const first = await app.ask(
    `mutation ($number: ID!) {
      createUseCase(input: { name: "Reminders", channel: VOICE, numberIds: [$number] }) { ... on UseCasePayload { useCase { id } } }
      upsertPatient(input: { canonicalId: "${CANONICAL}", name: "Aretha Alpha", phone: "+12125550121", sourceSystem: "ehr" }) {
        ... on PatientPayload { patient { id } event { id } }
      }
    }`,
    { number: numberId },
  );
  const { patient, event } = first.data.upsertPatient;
  const placed = await app.ask(placeCall, {
    input: { patientId: patient.id, useCaseId: first.data.createUseCase.useCase.id, reason: 'Check-up' },
  });
  const call = placed.data.placeCall.call;
  await app.follow(call.id, (status) => status === 'IN_PROGRESS');
  // The agent gives a silent line up, and then says no more.
  await eventually(async () => {
    const told = await app.world.query(sql`select 1 from event where type = 'call.outcome_reported'`);
    return told.length > 0;
  });
  const task = await scheduled(app, { patientId: patient.id, scheduledFor: '2026-03-04T15:00:00Z' });
  const campaign = await heldCampaign(app);
  const outward = await makeOutward(app, patient.id);
  await text(app, '+12125550121', 'When is it?');
  const [conversation] = await talksOf(app, patient.id as string);
  const PARKED = await parkedText(app);
  const AUDIO = await upload(app);
  const VOICEMAILCASE = await addUseCase(app, [numberId]);
  // One that the vendor never speaks of again.
  const voicemail = await send(app, {
    patientId: patient.id,
    phoneTo: '+12125550144',
    useCaseId: VOICEMAILCASE,
    audioId: AUDIO,
    basis: 'PRIOR_EXPRESS',
  });
  const log = await app.ask(
    '{ events(first: 1) { edges { cursor node { cursor } } } patients(first: 1) { edges { cursor } } campaigns { edges { cursor } } }',
  );
  return {
    NUMBER: numberId,
    SERVICE: serviceId,
    CANONICAL,
    PATIENT: patient.id as string,
    EVENT: event.id as string,
    USECASE: first.data.createUseCase.useCase.id as string,
    CALL: call.id as string,
    SID: call.sid as string,
    TASK: task.id,
    ...outward,
    CONVERSATION: conversation!.id,
    PARKED,
    CAMPAIGN: campaign.id,
    RUN: campaign.runId,
    AUDIO,
    VOICEMAILCASE,
    VOICEMAIL: voicemail.voicemail.id as string,
    KEY: (await makeKey(app, ['patients:read'])).apiKey.id as string,
    CURSOR: log.data.events.edges[0].node.cursor as string,
    EVENTPAGE: log.data.events.edges[0].cursor as string,
    PATIENTPAGE: log.data.patients.edges[0].cursor as string,
    CAMPAIGNPAGE: log.data.campaigns.edges[0].cursor as string,
  };
}

/** A text of somebody whom nobody knows. */
async function parkedText(app: App, to = '+14155550199', key = app.key): Promise<string> {
  await text(app, '+12125550188', 'Who is this?', { To: to });
  const { data } = await app.ask('{ parkedTexts(first: 1) { edges { node { id } } } }', {}, key);
  return data.parkedTexts.edges[0].node.id;
}

/** A webhook that has fired, and a subscription with a delivery that waits. */
async function makeOutward(app: App, patientId: string) {
  const hook = await trigger(app, {
    kind: 'WEBHOOK',
    name: 'Trigger Alpha',
    action: { delaySeconds: 86_400 },
  });
  await fire(app, hook.id, { patientId });
  const { data } = await app.ask(
    `mutation { createEventSubscription(input: { url: "https://receiver.invalid/events", types: ["ext.x"] }) {
      ... on EventSubscriptionPayload { subscription { id } } } }`,
  );
  await app.ask(
    `mutation { recordEvent(input: { patientId: "${patientId}", type: "ext.x", data: {}, sourceSystem: "x" }) { __typename } }`,
  );
  const DELIVERY = await eventually(
    async () => (await app.world.query<{ id: string }>(sql`select id from delivery`))[0]?.id,
  );
  return {
    TRIGGER: hook.id as string,
    SUBSCRIPTION: data.createEventSubscription.subscription.id as string,
    DELIVERY,
  };
}

/** A campaign that is paused, with a run of everybody that is held; it has told how far it is, and says no more. */
async function heldCampaign(app: App): Promise<{ id: string; runId: string }> {
  const id = await created(app, { name: 'Campaign Alpha', runAt: '08:00' });
  await move(app, 'activateCampaign', id);
  const runId = (await run(app, id)).run.id as string;
  await move(app, 'pauseCampaign', id);
  await eventually(async () => {
    const told = await app.world.query(
      sql`select 1 from event where entity_id = ${runId} and type = 'campaign_run.progressed'`,
    );
    return told.length > 0;
  });
  await reaches(app, runId, ({ status, pending }) => status === 'PAUSED' && pending === 1);
  return { id, runId };
}
type Things = Awaited<ReturnType<typeof makeEverything>>;

/** The same kinds of names, which nothing has. */
const nothing = (things: Things): Things => ({
  ...(Object.fromEntries(Object.keys(things).map((name) => [name, randomUUID()])) as Things),
  CANONICAL: 'fhir:Patient:nobody',
  SID: `CA${'0'.repeat(32)}`,
  CURSOR: things.CURSOR,
  EVENTPAGE: things.EVENTPAGE,
  PATIENTPAGE: things.PATIENTPAGE,
  CAMPAIGNPAGE: things.CAMPAIGNPAGE,
});

const refusal = '{ __typename ... on Error { code message } }';
const scheduling = (input: string) =>
  `mutation { scheduleTask(input: { reason: "x", ${input} }) ${refusal} }`;
const placing = (input: string) => `mutation { placeCall(input: { reason: "x", ${input} }) ${refusal} }`;
const starting = (input: string) =>
  `mutation { startConversation(input: { reason: "x", ${input} }) ${refusal} }`;
const leaving = (input: string) => `mutation { sendVoicemail(input: { ${input} }) ${refusal} }`;
const campaignInput = (more = '') =>
  `{ name: "x", purpose: OTHER, reason: "x", runAt: "10:00", timeZone: "UTC", audience: {}, ${more} }`;
const triggerInput = '{ name: "x", kind: WEBHOOK, action: { reason: "x" } }';
const empty = { edges: [] };
const ever = 'since: "2020-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z"';
const notFound = (code = 'NOT_FOUND') => expect.objectContaining({ __typename: 'NotFoundError', code });

/** What is asked with another workspace's names, and the whole of what it may answer. */
const asked: [document: string, answer: object][] = [
  ['{ patient(id: "PATIENT") { id name } }', { patient: null }],
  ['{ patient(canonicalId: "CANONICAL") { id name } }', { patient: null }],
  [
    '{ patients { totalCount edges { node { id } } } }',
    { patients: { totalCount: 1, edges: [expect.anything()] } },
  ],
  [
    '{ patients(search: "Aretha") { totalCount edges { node { id } } } }',
    { patients: { totalCount: 0, ...empty } },
  ],
  [
    '{ patients(search: "0121") { totalCount edges { node { id } } } }',
    { patients: { totalCount: 0, ...empty } },
  ],
  ['{ patients(before: "PATIENTPAGE", last: 9) { edges { node { id } } } }', { patients: empty }],
  ['{ call(id: "CALL") { id } }', { call: null }],
  ['{ conversation(id: "CONVERSATION") { id } }', { conversation: null }],
  [starting('patientId: "PATIENT"'), { startConversation: notFound('PATIENT_NOT_FOUND') }],
  [starting('patientId: "OWN", useCaseId: "USECASE"'), { startConversation: notFound() }],
  [
    `mutation { sendMessage(conversationId: "CONVERSATION", body: "x") ${refusal} }`,
    { sendMessage: notFound() },
  ],
  [`mutation { closeConversation(id: "CONVERSATION") ${refusal} }`, { closeConversation: notFound() }],
  ['{ conversations { totalCount edges { node { id } } } }', { conversations: { totalCount: 0, ...empty } }],
  [
    '{ conversations(filter: { patientId: "PATIENT", unanswered: true }) { edges { node { id } } } }',
    { conversations: empty },
  ],
  [
    '{ parkedTexts { totalCount edges { node { phoneFrom people { id } } } } }',
    {
      parkedTexts: {
        totalCount: 1,
        edges: [{ node: { phoneFrom: '+13035550199', people: [] } }],
      },
    },
  ],
  [
    `mutation { assignParkedTexts(ids: ["PARKED"], patientId: "OWN") ${refusal} }`,
    { assignParkedTexts: notFound() },
  ],
  [
    `mutation { assignParkedTexts(ids: ["OWNPARKED"], patientId: "PATIENT") ${refusal} }`,
    { assignParkedTexts: notFound('PATIENT_NOT_FOUND') },
  ],
  [`mutation { dismissParkedTexts(ids: ["PARKED"]) ${refusal} }`, { dismissParkedTexts: notFound() }],
  ['{ call(sid: "SID") { id } }', { call: null }],
  ['{ calls { edges { node { id } } } }', { calls: empty }],
  ['{ calls(filter: { patientId: "PATIENT" }) { edges { node { id } } } }', { calls: empty }],
  ['{ events(entityId: "PATIENT") { edges { node { id } } } }', { events: empty }],
  ['{ events(entityId: "CALL") { edges { node { id } } } }', { events: empty }],
  ['{ events(entityId: "EVENT") { edges { node { id } } } }', { events: empty }],
  ['{ events(after: "EVENTPAGE") { edges { node { id } } } }', { events: empty }],
  ['{ phoneNumbers { phone } }', { phoneNumbers: [{ phone: '+13035550199' }] }],
  ['{ services { name } }', { services: [{ name: 'Care' }] }],
  ['{ useCases { name } }', { useCases: [{ name: 'Reminders' }] }],
  ['{ apiKeys { name } }', { apiKeys: [{ name: 'first' }] }],
  [
    '{ workspace { name usage { callMinutes } } }',
    { workspace: { name: 'Clinic B', usage: { callMinutes: 0 } } },
  ],
  [`{ outreachStats(${ever}, groupBy: ORIGIN) { key attempts } }`, { outreachStats: [] }],
  [`{ outreachStats(${ever}, groupBy: CAMPAIGN) { key attempts } }`, { outreachStats: [] }],
  [
    '{ patients { edges { node { engagement { attempts } } } } }',
    { patients: { edges: [{ node: { engagement: { attempts: 0 } } }] } },
  ],
  ['{ outboundTask(id: "TASK") { id } }', { outboundTask: null }],
  ['{ outboundTasks { totalCount edges { node { id } } } }', { outboundTasks: { totalCount: 0, ...empty } }],
  [
    '{ outboundTasks(filter: { patientId: "PATIENT" }) { totalCount edges { node { id } } } }',
    { outboundTasks: { totalCount: 0, ...empty } },
  ],
  [scheduling('patientId: "PATIENT"'), { scheduleTask: notFound('PATIENT_NOT_FOUND') }],
  [scheduling('patientCanonicalId: "CANONICAL"'), { scheduleTask: notFound('PATIENT_NOT_FOUND') }],
  [scheduling('patientId: "OWN", serviceId: "SERVICE"'), { scheduleTask: notFound() }],
  [
    `mutation { rescheduleTask(id: "TASK", scheduledFor: "2026-03-05T15:00:00Z") ${refusal} }`,
    { rescheduleTask: notFound() },
  ],
  [
    `mutation { snoozeTask(id: "TASK", until: "2026-03-05T15:00:00Z") ${refusal} }`,
    { snoozeTask: notFound() },
  ],
  [`mutation { cancelTask(id: "TASK") ${refusal} }`, { cancelTask: notFound() }],
  ['{ campaign(id: "CAMPAIGN") { id name runs { edges { node { id } } } } }', { campaign: null }],
  [
    '{ campaigns(first: 9) { edges { node { name runs(first: 9) { edges { node { id } } } } } } }',
    { campaigns: { edges: [{ node: { name: 'Campaign Beta', runs: { edges: [expect.anything()] } } }] } },
  ],
  ['{ campaigns(after: "CAMPAIGNPAGE") { edges { node { id } } } }', { campaigns: empty }],
  ['{ campaignRun(id: "RUN") { id eligible calls { edges { node { id } } } } }', { campaignRun: null }],
  [
    '{ campaignRun(id: "OWNRUN") { member(patientId: "PATIENT") { reason } } }',
    { campaignRun: { member: null } },
  ],
  ['{ calls(filter: { campaignId: "CAMPAIGN" }) { edges { node { id } } } }', { calls: empty }],
  [
    '{ outboundTasks(filter: { campaignId: "CAMPAIGN" }) { totalCount edges { node { id } } } }',
    { outboundTasks: { totalCount: 0, ...empty } },
  ],
  [
    `mutation { createCampaign(input: ${campaignInput('serviceId: "SERVICE"')}) ${refusal} }`,
    { createCampaign: notFound() },
  ],
  [
    `mutation { updateCampaign(id: "CAMPAIGN", input: ${campaignInput()}) ${refusal} }`,
    { updateCampaign: notFound() },
  ],
  [
    `mutation { updateCampaign(id: "OWNCAMPAIGN", input: ${campaignInput('serviceId: "SERVICE"')}) ${refusal} }`,
    { updateCampaign: notFound() },
  ],
  ...['activateCampaign', 'pauseCampaign', 'archiveCampaign', 'runCampaign'].map((verb): [string, object] => [
    `mutation { ${verb}(id: "CAMPAIGN") ${refusal} }`,
    { [verb]: notFound() },
  ]),
  [
    `mutation { runCampaign(id: "OWNCAMPAIGN", callList: ["+12125550121"]) ${refusal} }`,
    { runCampaign: notFound('PATIENT_NOT_FOUND') },
  ],
  [`mutation { cancelCampaignRun(id: "RUN") ${refusal} }`, { cancelCampaignRun: notFound() }],
  [placing('patientId: "OWN", phoneFrom: "+13035550199", taskId: "TASK"'), { placeCall: notFound() }],
  [`mutation { cancelCall(id: "CALL") ${refusal} }`, { cancelCall: notFound() }],
  [
    `mutation { reportCallOutcome(input: { callId: "CALL", outcome: "confirmed" }) ${refusal} }`,
    { reportCallOutcome: notFound() },
  ],
  [placing('patientId: "PATIENT", phoneFrom: "+13035550199"'), { placeCall: notFound('PATIENT_NOT_FOUND') }],
  [
    placing('patientCanonicalId: "CANONICAL", phoneFrom: "+13035550199"'),
    { placeCall: notFound('PATIENT_NOT_FOUND') },
  ],
  [placing('patientId: "OWN", useCaseId: "USECASE"'), { placeCall: notFound() }],
  [placing('patientId: "OWN", phoneFrom: "+13035550199", serviceId: "SERVICE"'), { placeCall: notFound() }],
  [
    placing('patientId: "OWN", phoneFrom: "+13035550199", derivedFromCallSid: "SID"'),
    { placeCall: notFound() },
  ],
  [
    `mutation { recordEvent(input: { patientId: "PATIENT", type: "ext.x", data: {}, sourceSystem: "x" }) ${refusal} }`,
    { recordEvent: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    `mutation { recordEvent(input: { patientCanonicalId: "CANONICAL", type: "ext.x", data: {}, sourceSystem: "x" }) ${refusal} }`,
    { recordEvent: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    `mutation { recordEvent(input: { patientId: "OWN", supersedesId: "EVENT", type: "ext.x", data: {}, sourceSystem: "x" }) ${refusal} }`,
    { recordEvent: notFound() },
  ],
  [
    `mutation { recordConsent(input: { patientId: "PATIENT", phone: "+12125550121", channels: [VOICE], purposes: [BILLING], basis: PRIOR_EXPRESS, method: "form" }) ${refusal} }`,
    { recordConsent: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    `mutation { setContactPreferences(patientId: "PATIENT", input: { blockedChannels: [VOICE] }) ${refusal} }`,
    { setContactPreferences: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    `mutation { revokeConsent(patientId: "PATIENT", reason: "x") ${refusal} }`,
    { revokeConsent: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    `mutation { createUseCase(input: { name: "x", channel: VOICE, numberIds: ["NUMBER"] }) ${refusal} }`,
    { createUseCase: notFound() },
  ],
  [
    `mutation { registerPhoneNumber(input: { phone: "+13035550198", serviceId: "SERVICE" }) ${refusal} }`,
    { registerPhoneNumber: notFound() },
  ],
  ['{ trigger(id: "TRIGGER") { id name runs { edges { node { id } } } } }', { trigger: null }],
  ['{ triggers { name } }', { triggers: [{ name: 'A trigger' }] }],
  [
    '{ outboundTasks(filter: { triggerId: "TRIGGER" }) { totalCount edges { node { id } } } }',
    { outboundTasks: { totalCount: 0, ...empty } },
  ],
  [
    `mutation { updateTrigger(id: "TRIGGER", input: ${triggerInput}) ${refusal} }`,
    { updateTrigger: notFound() },
  ],
  [
    `mutation { setTriggerActive(id: "TRIGGER", active: false) ${refusal} }`,
    { setTriggerActive: notFound() },
  ],
  [`mutation { deleteTrigger(id: "TRIGGER") ${refusal} }`, { deleteTrigger: notFound() }],
  [`mutation { fireTrigger(id: "TRIGGER", patientId: "OWN") ${refusal} }`, { fireTrigger: notFound() }],
  [
    `mutation { fireTrigger(id: "OWNTRIGGER", patientId: "PATIENT") ${refusal} }`,
    { fireTrigger: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    `mutation { fireTrigger(id: "OWNTRIGGER", data: { patientCanonicalId: "CANONICAL" }) ${refusal} }`,
    { fireTrigger: notFound('PATIENT_NOT_FOUND') },
  ],
  [`mutation { rotateWebhookSecret(triggerId: "TRIGGER") ${refusal} }`, { rotateWebhookSecret: notFound() }],
  ['{ eventSubscriptions { id } }', { eventSubscriptions: [] }],
  [
    `mutation { deleteEventSubscription(id: "SUBSCRIPTION") ${refusal} }`,
    { deleteEventSubscription: notFound() },
  ],
  [`mutation { redeliver(deliveryId: "DELIVERY") ${refusal} }`, { redeliver: notFound() }],
  [
    `mutation { reportCallOutcome(input: { callId: "CALL", outcome: "confirmed" }) ${refusal} }`,
    { reportCallOutcome: notFound() },
  ],
  ['{ voicemail(id: "VOICEMAIL") { id events { id } } }', { voicemail: null }],
  ['{ voicemails { edges { node { id } } } }', { voicemails: empty }],
  ['{ voicemails(patientId: "PATIENT") { edges { node { id } } } }', { voicemails: empty }],
  [
    leaving('patientId: "PATIENT", useCaseId: "OWNCASE", audioId: "OWNAUDIO"'),
    { sendVoicemail: notFound('PATIENT_NOT_FOUND') },
  ],
  [
    leaving('patientId: "OWN", useCaseId: "VOICEMAILCASE", audioId: "OWNAUDIO"'),
    { sendVoicemail: notFound() },
  ],
  [leaving('patientId: "OWN", useCaseId: "OWNCASE", audioId: "AUDIO"'), { sendVoicemail: notFound() }],
  ['{ events(entityId: "VOICEMAIL") { edges { node { id } } } }', { events: empty }],
  [`mutation { revokeApiKey(id: "KEY") ${refusal} }`, { revokeApiKey: notFound() }],
];

/** What cannot be answered with null is an error of the request. */
const failing = [
  '{ campaignPreview(campaignId: "CAMPAIGN") { eligible } }',
  '{ triggerPreview(triggerId: "TRIGGER") { patients } }',
];

/** Fields that take no name of anything: what they give is checked by the tests around. */
const nameless = [
  'advanceClock',
  'clock',
  'scheduleTimes',
  'setPolicy',
  'setUsageLimit', // FORBIDDEN to any key of a workspace
  'createApiKey',
  'createService',
  'createWorkspace',
  'createTrigger',
  'createEventSubscription',
  'rotateCallbackSecret',
  'upsertPatient',
  'importPatients',
  'uploadVoicemailAudio',
];
const listenedTo = [
  'callActivity',
  'callUpdated',
  'campaignRunUpdated',
  'taskUpdated',
  'voicemailUpdated',
  'worldEvents',
];

// The call must go on for as long as the test does.
test('no key sees or touches anything of another workspace, nor learns that it is there', () =>
  withApp(
    async (app) => {
      const things = await makeEverything(app);
      const { key } = await makeWorkspace(app);
      const { numberId } = await setUp(app, '+13035550199', key);
      const OWN = await addPatient(app, '+13035550177', 'Bruno Beta', key);
      const OWNAUDIO = await upload(app, 'default', key);
      const OWNCASE = await addUseCase(app, [numberId], 'VOICEMAIL', key);
      const { OWNCAMPAIGN, OWNRUN } = await emptyCampaign(app, key);
      const { trigger: own } = await write(app, { kind: 'WEBHOOK' }, key);
      const OWNTRIGGER: string = own.id;
      const OWNPARKED = await parkedText(app, '+13035550199', key);
      await eventually(async () => {
        const told = await app.ask(`{ outreachStats(${ever}, groupBy: ORIGIN) { key attempts } }`);
        return told.data.outreachStats.length > 0; // there is something to be seen
      });
      const before = await app.world.query(sql`select * from event order by position`);
      const fill = (document: string, names: Things) =>
        Object.entries({
          ...names,
          OWN,
          OWNCAMPAIGN,
          OWNRUN,
          OWNAUDIO,
          OWNCASE,
          OWNTRIGGER,
          OWNPARKED,
        }).reduce((text, [name, value]) => text.replaceAll(`"${name}"`, `"${value}"`), document);
      for (const [document, answer] of asked) {
        const told = await app.ask(fill(document, things), {}, key);
        expect({ document, ...told }).toEqual({ document, data: answer });
        const missing = await app.ask(fill(document, nothing(things)), {}, key);
        // What exists elsewhere is told in the same words as what exists nowhere.
        expect({ document, ...told }).toEqual({ document, ...missing });
      }
      for (const document of failing) {
        const told = await app.ask(fill(document, things), {}, key);
        expect([document, codes(told)]).toEqual([document, ['NOT_FOUND']]);
        expect(told).toEqual(await app.ask(fill(document, nothing(things)), {}, key));
      }
      expect(await app.world.query(sql`select * from event order by position`)).toEqual(before);
      const { data } = await app.ask(
        `{ call(id: "${things.CALL}") { status } voicemail(id: "${things.VOICEMAIL}") { status } outboundTask(id: "${things.TASK}") { status }
        campaign(id: "${things.CAMPAIGN}") { name status } campaignRun(id: "${things.RUN}") { status pending } }`,
      );
      expect(data).toEqual({
        call: { status: 'IN_PROGRESS' },
        voicemail: { status: 'PENDING' },
        outboundTask: { status: 'SCHEDULED' },
        campaign: { name: 'Campaign Alpha', status: 'PAUSED' },
        campaignRun: { status: 'PAUSED', pending: 1 },
      });
    },
    { ...unlimited, SIM_PACE: '10' },
  ));

/** A campaign of nobody with a run that is over. */
async function emptyCampaign(app: App, key: string) {
  const input = campaignInput()
    .replace('"x"', '"Campaign Beta"')
    .replace('audience: {}', 'audience: { tags: ["x"] }');
  const made = await app.ask(
    `mutation { createCampaign(input: ${input}) { ... on CampaignPayload { campaign { id } } } }`,
    {},
    key,
  );
  const OWNCAMPAIGN = made.data.createCampaign.campaign.id as string;
  const begun = await app.ask(
    `mutation { runCampaign(id: "${OWNCAMPAIGN}") { ... on RunCampaignPayload { run { id } } } }`,
    {},
    key,
  );
  return { OWNCAMPAIGN, OWNRUN: begun.data.runCampaign.run.id as string };
}

test('the test above asks every field of the schema', () => {
  const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
    (type) => Object.keys(type!.getFields()),
  );
  const documents = [...asked.map(([document]) => document), ...failing];
  const unasked = fields.filter(
    (field) =>
      ![...nameless, ...listenedTo].includes(field) &&
      !documents.some((text) => new RegExp(`[{ ]${field}\\b`).test(text)),
  );
  expect(unasked).toEqual([]);
});

test('what one workspace says of a patient with a canonical id stays in it', () =>
  withApp(async (app) => {
    const things = await makeEverything(app);
    const { key } = await makeWorkspace(app);
    const said = await app.ask(
      `mutation { upsertPatient(input: { canonicalId: "${things.CANONICAL}", name: "Mallory", sourceSystem: "ehr" }) {
        ... on PatientPayload { patient { id name facts { value } timeline { edges { node { type } } } } event { version } }
      } }`,
      {},
      key,
    );
    const { patient, event } = said.data.upsertPatient;
    expect(patient.id).not.toBe(things.PATIENT);
    expect(patient.facts).toEqual([{ value: 'Mallory' }]);
    expect(event.version).toBe(1);
    const form = new FormData();
    const query = `mutation ($file: File!) {
      importPatients(file: $file, format: CSV, sourceSystem: "ehr") { ... on ImportPatientsPayload { rows accepted } }
    }`;
    form.set('operations', JSON.stringify({ query, variables: { file: null } }));
    form.set('map', JSON.stringify({ 0: ['variables.file'] }));
    const csv = 'canonical_id,name,phone\nfhir:Patient:alpha-1,Malice,+12125550121\n';
    form.set('0', new File([csv], 'patients.csv', { type: 'text/csv' }));
    const headers = { authorization: `Bearer ${key}` };
    const imported = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
    expect(await imported.json()).toEqual({ data: { importPatients: { rows: 1, accepted: 1 } } });
    const theirs = await app.ask('{ patients { edges { node { id name } } } }', {}, key);
    expect(theirs.data.patients.edges).toEqual([{ node: { id: patient.id, name: 'Malice' } }]);
    const ours = await app.ask('{ patients { edges { node { id name } } } }');
    expect(ours.data.patients.edges).toEqual([{ node: { id: things.PATIENT, name: 'Aretha Alpha' } }]);
  }, unlimited));

test("no subscription shows anything of another workspace, from the log's beginning or live", () =>
  withApp(async (app) => {
    const things = await makeEverything(app);
    const { key } = await makeWorkspace(app);
    await setUp(app, '+13035550199', key);
    const event = '{ id cursor entityId patient { name } summary }';
    await using denied = listen(app, `subscription { callUpdated(id: "${things.CALL}") { id status } }`, key);
    await using untold = listen(app, `subscription { taskUpdated(id: "${things.TASK}") { id status } }`, key);
    const unleft = `subscription { voicemailUpdated(id: "${things.VOICEMAIL}") { id status } }`;
    await using unknown = listen(app, unleft, key);
    const unrun = `subscription { campaignRunUpdated(id: "${things.RUN}") { id status } }`;
    await using unheard = listen(app, unrun, key);
    await using beginning = listen(app, `subscription { worldEvents(after: "0") ${event} }`, key);
    await using since = listen(app, `subscription { worldEvents(after: "${things.CURSOR}") ${event} }`, key);
    await using live = listen(app, `subscription { worldEvents ${event} }`, key);
    await using theirs = listen(
      app,
      `subscription { worldEvents(after: "0", patientId: "${things.PATIENT}") ${event} }`,
      key,
    );
    await using activity = listen(app, 'subscription { callActivity { id patient { name } } }', key);
    await using filtered = listen(
      app,
      `subscription { callActivity(filter: { patientId: "${things.PATIENT}" }) { id } }`,
      key,
    );
    await eventually(() => denied.results.length === 1);
    await eventually(() => untold.results.length === 1);
    await eventually(() => unheard.results.length === 1);
    await eventually(() => unknown.results.length === 1);
    for (const { results } of [denied, untold, unheard, unknown])
      expect(codes(results[0]!)).toEqual(['NOT_FOUND']);
    await subscribers(app, 6);
    await addPatient(app, '+14155550100', 'Another Alpha');
    await app.ask(`mutation { cancelCall(id: "${things.CALL}") { __typename } }`);
    await app.ask(`mutation { cancelTask(id: "${things.TASK}") { __typename } }`);
    await app.ask(`mutation { cancelCampaignRun(id: "${things.RUN}") { __typename } }`);
    await app.follow(things.CALL, (status) => !['QUEUED', 'RINGING', 'IN_PROGRESS'].includes(status));
    const own = await addPatient(app, '+13035550121', 'Bruno Beta', key);
    const input = { patientId: own, phoneFrom: '+13035550199', reason: 'Check-up' };
    const placed = await app.ask(placeCall, { input }, key);
    const ownCall = placed.data.placeCall.call.id;
    await eventually(() => activity.results.some(({ data }) => data.callActivity.id === ownCall));
    for (const { results } of [beginning, since, live]) {
      await eventually(() => results.some(({ data }) => data.worldEvents.entityId === ownCall));
      expect(results[0]!.data.worldEvents.entityId).toBe(own);
    }
    expect(theirs.results).toEqual([]);
    expect([denied, untold, unheard, unknown].map(({ results }) => results.length)).toEqual([1, 1, 1, 1]);
    expect(filtered.results).toEqual([]);
    const everything = [beginning, since, live, activity]
      .map(({ results }) => JSON.stringify(results))
      .join('');
    expect(everything).not.toContain('Alpha');
    const { PATIENT, CALL, EVENT, SID, TASK, CAMPAIGN, RUN } = things;
    for (const id of [PATIENT, CALL, EVENT, SID, TASK, CAMPAIGN, RUN]) expect(everything).not.toContain(id);
  }, unlimited));

test('a key is made with at most the scopes of its maker, and repeats none', () =>
  withApp(async (app) => {
    const made = await makeKey(app, ['workspace:write', 'calls:read', 'calls:read']);
    expect(made.apiKey).toMatchObject({
      name: 'made',
      scopes: ['workspace:write', 'calls:read'],
      revokedAt: null,
    });
    expect(await makeKey(app, ['calls:read'], made.secret)).toMatchObject({ __typename: 'ApiKeyPayload' });
    const beyond = [
      ['calls:write'],
      ['calls:read', 'patients:read'],
      ['organization:write'],
      ['everything'],
      [''],
    ];
    for (const scopes of beyond) {
      const refused = await makeKey(app, scopes, made.secret);
      expect(refused).toMatchObject({ __typename: 'InputError', code: 'INVALID_INPUT' });
      expect(refused.message).toContain('workspace:write, calls:read');
    }
    expect(await makeKey(app, [])).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await makeKey(app, ['organization:read'])).toMatchObject({ code: 'INVALID_INPUT' });
  }));

test('a key reads nothing without the scope: no list, no count, no page, nor that something is there', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100', 'Ada Lovelace');
    const { secret } = await makeKey(app, ['workspace:read']);
    const documents = [
      '{ patients { totalCount } }',
      '{ patients(search: "Ada") { pageInfo { hasNextPage endCursor } } }',
      '{ patients(search: "Nobody") { edges { cursor } } }',
      `{ patient(id: "${patientId}") { __typename } }`,
      `{ patient(id: "${randomUUID()}") { __typename } }`,
      '{ outboundTasks { totalCount } }',
      `{ outboundTask(id: "${randomUUID()}") { __typename } }`,
      '{ campaigns { edges { cursor } } }',
      `{ campaign(id: "${randomUUID()}") { __typename } }`,
      `{ conversation(id: "${randomUUID()}") { __typename } }`,
      '{ conversations { totalCount } }',
      '{ parkedTexts { edges { cursor } } }',
      `mutation { assignParkedTexts(ids: ["${randomUUID()}"], patientId: "${patientId}") { __typename } }`,
      `mutation { dismissParkedTexts(ids: ["${randomUUID()}"]) { __typename } }`,
      `mutation { deleteTrigger(id: "${randomUUID()}") { __typename } }`,
      `{ campaignRun(id: "${randomUUID()}") { __typename } }`,
      `{ campaignPreview(campaignId: "${randomUUID()}") { __typename } }`,
      '{ events { edges { cursor } } }',
      '{ events(types: ["nothing"]) { edges { cursor } } }',
    ];
    for (const document of documents) {
      const answer = await app.ask(document, {}, secret);
      expect([document, codes(answer)]).toEqual([document, ['FORBIDDEN']]);
    }
    const reader = await makeKey(app, ['patients:read']);
    const beyond = [
      `calls { edges { cursor } }`,
      'timeline { edges { cursor } }',
      'tasks { totalCount }',
      'conversations { totalCount }',
      'tasks { pageInfo { hasNextPage } }',
    ];
    for (const field of beyond) {
      const answer = await app.ask(`{ patient(id: "${patientId}") { name ${field} } }`, {}, reader.secret);
      expect([field, codes(answer)]).toEqual([field, ['FORBIDDEN']]);
    }
  }));

test('campaigns are read with their own scope, and changed with another', () =>
  withApp(async (app) => {
    const { CAMPAIGN, RUN, PATIENT } = await makeEverything(app);
    const before = await app.world.query(sql`select * from event order by position`);
    const writes = [
      `createCampaign(input: ${campaignInput()}) { __typename }`,
      `updateCampaign(id: "${CAMPAIGN}", input: ${campaignInput()}) { __typename }`,
      ...['activateCampaign', 'pauseCampaign', 'archiveCampaign', 'runCampaign'].map(
        (verb) => `${verb}(id: "${CAMPAIGN}") { __typename }`,
      ),
      `cancelCampaignRun(id: "${RUN}") { __typename }`,
    ];
    const reader = await makeKey(app, ['campaigns:read', 'workspace:write']);
    for (const field of writes)
      expect([field, codes(await app.ask(`mutation { ${field} }`, {}, reader.secret))]).toEqual([
        field,
        ['FORBIDDEN'],
      ]);
    expect(await app.world.query(sql`select * from event order by position`)).toEqual(before);
    const read = await app.ask(
      `{ campaign(id: "${CAMPAIGN}") { status } campaignRun(id: "${RUN}") { eligible member(patientId: "${PATIENT}") { reason } } }`,
      {},
      reader.secret,
    );
    expect(read).toEqual({
      data: { campaign: { status: 'PAUSED' }, campaignRun: { eligible: 1, member: { reason: null } } },
    });
    // Who is called, and the calls, need the scopes of patients and calls.
    for (const field of [
      `member(patientId: "${PATIENT}") { patient { id } }`,
      'calls { edges { cursor } }',
    ]) {
      const beyond = await app.ask(`{ campaignRun(id: "${RUN}") { ${field} } }`, {}, reader.secret);
      expect([field, codes(beyond)]).toEqual([field, ['FORBIDDEN']]);
    }
    const stranger = await makeKey(app, ['calls:write', 'tasks:write', 'patients:write']);
    const watch = `subscription { campaignRunUpdated(id: "${RUN}") { id } }`;
    await using watching = listen(app, watch, stranger.secret);
    await eventually(() => watching.results.length === 1);
    expect(codes(watching.results[0]!)).toEqual(['FORBIDDEN']);
    const writer = await makeKey(app, ['campaigns:write']);
    const written = await app.ask(
      `mutation { archiveCampaign(id: "${CAMPAIGN}") { ... on CampaignPayload { campaign { status } } } }`,
      {},
      writer.secret,
    );
    expect(written).toEqual({ data: { archiveCampaign: { campaign: { status: 'ARCHIVED' } } } });
    expect((await runOf(app, RUN)).status).toBe('CANCELLED');
  }, unlimited));

test('the secret of a key is shown once, and only its hash is stored', () =>
  withApp(async (app) => {
    const { secret, apiKey } = await makeKey(app, ['calls:read']);
    expect(secret).toMatch(/^cw_[\w-]{43}$/);
    const rows = await app.world.query<{ id: string; secret_hash: string }>(sql`select * from api_key`);
    const row = rows.find(({ id }) => id === apiKey.id);
    expect(row?.secret_hash).toBe(createHash('sha256').update(secret).digest('hex'));
    const tables = await app.world.query<{ name: string }>(
      sql`select table_name as name from information_schema.tables where table_schema = 'public'`,
    );
    expect(tables.length).toBeGreaterThan(10);
    for (const { name } of tables) {
      const contents = `${name}: ${JSON.stringify(await app.world.query(sql`select * from ${sql.table(name)}`))}`;
      expect(contents).not.toContain(secret);
      expect(contents).not.toContain(app.key);
    }
    const revoked = await app.ask(
      `mutation { revokeApiKey(id: "${apiKey.id}") { ... on ApiKeyPayload { secret apiKey { id revokedAt } } } }`,
    );
    expect(revoked.data.revokeApiKey).toEqual({
      secret: null,
      apiKey: { id: apiKey.id, revokedAt: expect.any(String) },
    });
  }));

test('a revoked key ends within a second and a bit, here and on other replicas, and stays revoked', () =>
  withApp(async (app) => {
    const { secret, apiKey } = await makeKey(app, ['workspace:read']);
    const replica = openWorkspaces({ world: app.world, clock: app.clock });
    const query = '{ workspace { name } }';
    expect((await app.ask(query, {}, secret)).errors).toBeUndefined();
    expect(await replica.authenticate(secret)).not.toBeNull();
    const revoke = `mutation { revokeApiKey(id: "${apiKey.id}") { ... on ApiKeyPayload { apiKey { revokedAt } } } }`;
    const first = await app.ask(revoke);
    await Promise.all([
      eventually(async () => codes(await app.ask(query, {}, secret))?.includes('UNAUTHENTICATED'), 1_100),
      eventually(async () => (await replica.authenticate(secret)) === null, 1_100),
    ]);
    expect(await app.ask(revoke)).toEqual(first); // the instant of the first time
    await using socket = listen(app, query, secret);
    await eventually(() => socket.results.length === 1);
    expect(codes(socket.results[0]!)).toEqual([4403]);
  }));

test('a key remembers when it was last used', () =>
  withApp(async (app) => {
    const { secret, apiKey } = await makeKey(app, ['workspace:read', 'workspace:write']);
    await app.ask('{ workspace { name } }', {}, secret);
    const { data } = await app.ask(
      `mutation { revokeApiKey(id: "${apiKey.id}") { ... on ApiKeyPayload { apiKey { lastUsedAt } } } }`,
    );
    const ageMs = app.clock.now().getTime() - Date.parse(data.revokeApiKey.apiKey.lastUsedAt);
    expect(ageMs).toBeGreaterThanOrEqual(0);
    expect(ageMs).toBeLessThan(60_000);
  }));

const upsert = `mutation ($input: PatientInput!) {
  upsertPatient(input: $input) {
    __typename
    ... on PatientPayload {
      event { id type version }
      patient {
        id name birthDate phone language status timeZone tags
        facts { key value confidence source effectiveAt event { id type } beaten { value source } }
      }
    }
    ... on InputError { code fields { path message } }
  }
}`;

async function say(app: App, input: object) {
  const { data, errors } = await app.ask(upsert, {
    input: { sourceSystem: 'ehr', name: 'Ada Lovelace', ...input },
  });
  expect(errors).toBeUndefined();
  return data.upsertPatient;
}

test('the most confident is believed, then the newest, and what it beat is visible', () =>
  withApp(async (app) => {
    const canonicalId = 'fhir:Patient:ada';
    const sayAllergy = (sourceSystem: string, allergy: string, confidence: number, effectiveAt: string) =>
      say(app, { canonicalId, sourceSystem, facts: { allergy }, confidence, effectiveAt });
    const allergyOf = ({ patient }: { patient: { facts: { key: string }[] } }) =>
      patient.facts.find(({ key }) => key === 'allergy');
    await sayAllergy('ehr', 'penicillin', 0.8, '2026-01-01T00:00:00Z');
    const doubted = await sayAllergy('survey', 'nuts', 0.5, '2026-02-01T00:00:00Z');
    expect(allergyOf(doubted)).toMatchObject({
      value: 'penicillin',
      confidence: 0.8,
      source: 'ehr',
      effectiveAt: '2026-01-01T00:00:00.000Z',
      beaten: [
        {
          value: 'nuts',
          source: 'survey',
        },
      ],
    });
    const newer = await sayAllergy('lab', 'latex', 0.8, '2026-03-01T00:00:00Z');
    expect(allergyOf(newer)).toMatchObject({
      value: 'latex',
      beaten: [
        { value: 'penicillin', source: 'ehr' },
        { value: 'nuts', source: 'survey' },
      ],
      event: { type: 'patient.fact_learned' },
    });
    const belated = await sayAllergy('archive', 'dust', 0.8, '2020-01-01T00:00:00Z');
    expect(allergyOf(belated)).toMatchObject({ value: 'latex' });
    const sure = await sayAllergy('archive', 'wool', 1, '2019-01-01T00:00:00Z');
    expect(allergyOf(sure)).toMatchObject({ value: 'wool', confidence: 1 });
  }));

test('saying the same again changes nothing, and answers with what last did', () =>
  withApp(async (app) => {
    const input = {
      canonicalId: 'fhir:Patient:ada',
      birthDate: '1815-12-10',
      phone: '+12125550100',
      language: 'en',
      timeZone: 'America/New_York',
      facts: { allergy: 'penicillin' },
      tags: ['a'],
      status: 'ACTIVE',
      address: {
        city: 'New York',
        state: 'NY',
      },
    };
    const first = await say(app, input);
    expect(first.patient).toMatchObject({ phone: '+12125550100', birthDate: '1815-12-10', tags: ['a'] });
    const count = async () => (await app.world.query(sql`select 1 from event`)).length;
    const before = await count();
    for (let i = 0; i < 3; i++) expect(await say(app, input)).toEqual(first);
    expect(await count()).toBe(before);
    const changed = await say(app, { ...input, tags: ['a', 'b'], status: 'INACTIVE' });
    expect(changed.patient).toMatchObject({ tags: ['a', 'b'], status: 'INACTIVE' });
    expect(await count()).toBe(before + 2);
    const same = await say(app, { name: 'ada  LOVELACE', phone: '+12125550100', birthDate: '1815-12-10' });
    expect(same.patient.id).toBe(first.patient.id); // by number, name and birth date
    const another = await say(app, { name: 'Ada Lovelace', phone: '+12125550100', birthDate: '1990-01-01' });
    expect(another.patient.id).not.toBe(first.patient.id);
  }));

test('tells each field of a patient that breaks a rule', () =>
  withApp(async (app) => {
    const refused = await say(app, {
      name: ' ',
      phone: '212-555-0100',
      birthDate: '2026-02-30',
      language: 'english please',
      timeZone: 'Mars/Olympus',
      canonicalId: 'ada',
      confidence: 2,
      sourceSystem: 'two words',
      effectiveAt: 'yesterday',
      tags: ['x'.repeat(65)],
      facts: { name: 'Eve' },
    });
    expect(refused.code).toBe('INVALID_INPUT');
    const paths = refused.fields.map(({ path }: { path: string[] }) => path[1]);
    expect(new Set(paths)).toEqual(
      new Set(
        'name phone birthDate language timeZone canonicalId confidence sourceSystem effectiveAt tags facts'.split(
          ' ',
        ),
      ),
    );
  }));

test('finds patients by the beginnings of names, without accents, by digits of the number, and by status', () =>
  withApp(async (app) => {
    const people: [string, string, string][] = [
      ['José Núñez', '+12125550171', 'ACTIVE'],
      ['Josephine Baker', '+13035550172', 'ACTIVE'],
      ['Ada Lovelace', '+14155550171', 'INACTIVE'],
      ["Siobhán O'Neill", '+12125550174', 'DECEASED'],
      ['李 小龍', '+12065550175', 'TEST'],
    ];
    for (const [name, phone, status] of people) await say(app, { name, phone, status });
    const search = async (text: string, status: string | null = null) => {
      const { data, errors } = await app.ask(
        `query ($text: String, $status: PatientStatus) {
          patients(search: $text, status: $status) { totalCount edges { node { name } } }
        }`,
        { text, status },
      );
      expect(errors).toBeUndefined();
      const names = data.patients.edges.map(({ node }: { node: { name: string } }) => node.name);
      expect(data.patients.totalCount).toBe(names.length);
      return names.toSorted();
    };
    expect(await search('jos')).toEqual(['Josephine Baker', 'José Núñez']);
    expect(await search('nunez JOSE')).toEqual(['José Núñez']);
    expect(await search('NÚÑ')).toEqual(['José Núñez']);
    expect(await search('unez')).toEqual([]);
    expect(await search("o'neill")).toEqual(["Siobhán O'Neill"]);
    expect(await search('李')).toEqual(['李 小龍']);
    expect(await search('0171')).toEqual(['Ada Lovelace', 'José Núñez']);
    expect(await search('+12125550171')).toEqual(['José Núñez']);
    expect(await search('(212) 555-0171')).toEqual(['José Núñez']);
    expect(await search('5550172')).toEqual(['Josephine Baker']);
    expect(await search('jose 0172')).toEqual(['Josephine Baker']);
    expect(await search('')).toHaveLength(5);
    expect(await search('%')).toHaveLength(5);
    for (const hostile of ["' or 1=1 --", 'jos:*', 'a & b | !c', '\\', '<->', ':'])
      expect((await search(hostile)).length).toBeLessThanOrEqual(5);
    expect(await search('', 'INACTIVE')).toEqual(['Ada Lovelace']);
    expect(await search('jos', 'DECEASED')).toEqual([]);
  }, unlimited));

const pageOf = `query ($first: Int, $after: String, $last: Int, $before: String) {
  patients(first: $first, after: $after, last: $last, before: $before) {
    totalCount
    edges { cursor node { name } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

test('pages through patients forwards and backwards, with the count of all', () =>
  withApp(async (app) => {
    const everybody = Array.from({ length: 7 }, (_, i) => `Patient ${i}`);
    for (const name of everybody) await say(app, { name });
    const page = async (variables: object) => {
      const { patients } = (await app.ask(pageOf, variables as Record<string, unknown>)).data;
      expect(patients.totalCount).toBe(7);
      const names = patients.edges.map(({ node }: { node: { name: string } }) => node.name);
      return { names, ...patients.pageInfo };
    };
    const forwards: string[][] = [];
    for (let after = null, more = true; more;) {
      const { names, hasNextPage, endCursor } = await page({ first: 3, after });
      forwards.push(names);
      [after, more] = [endCursor, hasNextPage];
    }
    expect(forwards.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(forwards.flat()).toEqual(everybody);
    const backwards: string[][] = [];
    for (let before = null, more = true; more;) {
      const { names, hasPreviousPage, startCursor } = await page({ last: 3, before });
      backwards.unshift(names);
      [before, more] = [startCursor, hasPreviousPage];
    }
    expect(backwards.map(({ length }) => length)).toEqual([1, 3, 3]);
    expect(backwards.flat()).toEqual(everybody);
    expect((await page({ first: 200 })).names).toEqual(everybody);
    expect((await page({})).hasNextPage).toBe(false);
    expect((await page({ first: 0 })).names).toEqual([]);
    const whole = await page({ first: 7 });
    expect(whole).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    expect((await page({ first: 3, after: whole.endCursor })).names).toEqual([]);
  }, unlimited));

test('a page stays where it was when patients are added meanwhile', () =>
  withApp(async (app) => {
    for (const name of ['A', 'B', 'C', 'D']) await say(app, { name });
    const first = (await app.ask(pageOf, { first: 2 })).data.patients;
    await say(app, { name: 'E' });
    const second = (await app.ask(pageOf, { first: 9, after: first.pageInfo.endCursor })).data.patients;
    expect(second.edges.map(({ node }: { node: { name: string } }) => node.name)).toEqual(['C', 'D', 'E']);
  }));

const record = `mutation ($input: RecordEventInput!) {
  recordEvent(input: $input) {
    __typename
    ... on RecordEventPayload { replayed event {
      id type data version source sourceSystem confidence effectiveAt supersedesId patient { id } entityType entityId
    } }
    ... on InputError { code message fields { path message } }
    ... on NotFoundError { code id }
  }
}`;

async function tell(app: App, input: object) {
  const { data, errors } = await app.ask(record, { input: { sourceSystem: 'lab', data: {}, ...input } });
  expect(errors).toBeUndefined();
  return data.recordEvent;
}

test('refuses an event of an unknown type and names the nearest', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const nearest = {
      'apointment.booked': 'appointment.booked',
      'lab.result_recieved': 'lab.result_received',
      'medication.refill': 'medication.refill_due',
      'patient.registered': 'medication.prescribed', // ours alone: nobody else may record it
    };
    for (const [type, meant] of Object.entries(nearest)) {
      const refused = await tell(app, { patientId, type });
      expect(refused).toMatchObject({ code: 'INVALID_INPUT', fields: [{ path: ['input', 'type'] }] });
      if (type.startsWith('patient.')) expect(refused.message).toMatch(/nearest is \w+\.\w+/);
      else expect(refused.message).toContain(meant);
    }
    for (const type of ['ext.', 'ext.Upper', 'ext.1', 'ext.a b', `ext.${'x'.repeat(61)}`, 'call.completed']) {
      expect(await tell(app, { patientId, type })).toMatchObject({ code: 'INVALID_INPUT' });
    }
  }));

test('records an event of a known type or of a type of its own, with all that was said of it', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const said = {
      patientId,
      confidence: 0.7,
      effectiveAt: '2026-01-02T03:04:05Z',
      data: { result: { hba1c: 6.1 } },
    };
    for (const type of ['lab.result_received', 'ext.fall_detected', 'ext.a.b_c1']) {
      const { event, replayed } = await tell(app, { ...said, type });
      expect(replayed).toBe(false);
      expect(event).toMatchObject({
        type,
        data: said.data,
        confidence: 0.7,
        effectiveAt: '2026-01-02T03:04:05.000Z',
        source: 'api',
        sourceSystem: 'lab',
        entityType: 'PATIENT',
        entityId: patientId,
        patient: { id: patientId },
      });
    }
    const { data } = await app.ask(
      `{ patient(id: "${patientId}") { timeline(types: ["ext.fall_detected"]) { edges { node { type } } } } }`,
    );
    expect(data.patient.timeline.edges).toEqual([{ node: { type: 'ext.fall_detected' } }]);
  }));

test('a correction names the event that it supersedes, of the same patient', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const otherId = await addPatient(app, '+12125550101', 'Grace Hopper');
    const type = 'appointment.booked';
    const { event: wrong } = await tell(app, { patientId, type, data: { on: '2026-03-01' } });
    const { event: right } = await tell(app, {
      patientId,
      type,
      data: { on: '2026-03-02' },
      supersedesId: wrong.id,
    });
    expect(right).toMatchObject({ supersedesId: wrong.id, version: wrong.version + 1 });
    for (const supersedesId of [randomUUID(), wrong.id]) {
      const refused = await tell(app, { patientId: otherId, type, supersedesId });
      expect(refused).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', id: supersedesId });
    }
  }));

test('refuses an event without a patient, with two, or with data that cannot be kept', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const type = 'ext.x';
    const wrong = [
      { type },
      { type, patientId, patientCanonicalId: 'a:b:c' },
      { type, patientId, data: { text: 'x'.repeat(70_000) } },
      { type, patientId, data: { text: '\0' } },
      { type, patientId, data: [1] },
      { type, patientId, data: 'text' },
      { type, patientId, confidence: -0.1 },
      { type, patientId, sourceSystem: '' },
      { type, patientId, effectiveAt: '2026-13-01T00:00:00Z' },
      { type, patientId, supersedesId: 'x' },
      { type, patientId: 'x' },
      { type, patientId, idempotencyKey: '' },
    ];
    for (const input of wrong)
      expect({ input, ...(await tell(app, input)) }).toMatchObject({ input, code: 'INVALID_INPUT' });
  }));

const settings: [field: string, type: string, good: object, bad: Record<string, unknown>][] = [
  [
    'createService',
    'ServiceInput',
    {
      name: 'n'.repeat(100),
      systemPrompt: '😀'.repeat(10_000),
      greeting: '😀'.repeat(200),
      machineMessage: '😀'.repeat(200),
      isDefault: true,
    },
    {
      name: ['', ' ', 'n'.repeat(101), '\0'],
      systemPrompt: ['p'.repeat(10_001)],
      greeting: ['', 'g'.repeat(201)],
      machineMessage: ['', ' ', 'm'.repeat(201), '\0'],
    },
  ],
  [
    'registerPhoneNumber',
    'PhoneNumberInput',
    { phone: '+14155550198', label: 'l'.repeat(100), voice: true, text: true },
    {
      phone: ['4155550198', '+0155550198', '+1415555019812345', '+', '+1415555o198', ''],
      label: ['l'.repeat(101)],
      serviceId: ['x'],
    },
  ],
  [
    'createUseCase',
    'UseCaseInput',
    { name: 'n'.repeat(100), channel: 'VOICE', numberIds: [] },
    { name: ['', 'n'.repeat(101)], numberIds: [['x'], Array.from({ length: 101 }, () => randomUUID())] },
  ],
];

test.each(settings)(
  '%s takes what is within the limits of %s and names each field that is not',
  (field, type, good, bad) =>
    withApp(async (app) => {
      const mutation = `mutation ($input: ${type}!) { result: ${field}(input: $input) { __typename ... on InputError { code fields { path } } } }`;
      const set = async (input: object) => (await app.ask(mutation, { input })).data.result;
      expect((await set(good)).__typename).toMatch(/Payload$/);
      for (const [name, values] of Object.entries(bad)) {
        for (const value of values as unknown[]) {
          const { code, fields } = await set({ ...good, [name]: value });
          expect([code, fields[0].path.slice(0, 2)]).toEqual(['INVALID_INPUT', ['input', name]]);
        }
      }
    }, unlimited),
);

test('the first service is the default until another is made so, and a number registered again is changed', () =>
  withApp(async (app) => {
    const make = (name: string, isDefault: boolean | null) =>
      app.ask(`mutation ($input: ServiceInput!) { createService(input: $input) { __typename } }`, {
        input: { name, systemPrompt: '', greeting: 'Hello', isDefault },
      });
    await make('first', null);
    await make('second', false);
    const defaults = async () => {
      const { data } = await app.ask('{ services { name isDefault } }');
      const chosen = data.services.filter(({ isDefault }: { isDefault: boolean }) => isDefault);
      return chosen.map(({ name }: { name: string }) => name);
    };
    expect(await defaults()).toEqual(['first']);
    await Promise.all(['third', 'fourth', 'fifth'].map((name) => make(name, true)));
    expect(await defaults()).toHaveLength(1);
    const register = (label: string) =>
      app.ask(
        `mutation ($label: String) { registerPhoneNumber(input: { phone: "+14155550199", label: $label, text: true }) {
          ... on PhoneNumberPayload { phoneNumber { id label voice text active } }
        } }`,
        { label },
      );
    const first = (await register('Front desk')).data.registerPhoneNumber.phoneNumber;
    const again = (await register('Back office')).data.registerPhoneNumber.phoneNumber;
    expect(again).toEqual({ ...first, label: 'Back office' });
  }));

test('a revoked key ends its open sockets and streams, and nobody else', () =>
  withApp(async (app) => {
    const { secret, apiKey } = await makeKey(app, ['events:read', 'patients:read']);
    const open = (key: string) => {
      const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } })),
      );
      const acknowledged = new Promise((resolve) => socket.once('message', resolve));
      const closed = new Promise<number>((resolve) => socket.once('close', resolve));
      return { socket, acknowledged, closed };
    };
    const [theirs, ours] = [open(secret), open(app.key)];
    await Promise.all([theirs.acknowledged, ours.acknowledged]);
    const stream = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${secret}`,
      },
      body: JSON.stringify({ query: 'subscription { worldEvents { id } }' }),
    });
    await app.ask(`mutation { revokeApiKey(id: "${apiKey.id}") { __typename } }`);
    expect(await theirs.closed).toBe(4403);
    await expect(stream.text()).rejects.toThrow('terminated');
    expect(ours.socket.readyState).toBe(WebSocket.OPEN);
    ours.socket.terminate();
  }));
