import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../src/config.ts';
import { startProgram, type Program } from '../src/program.ts';
import { tenInNewYork } from '../src/sample.ts';
import { openClient, type ApiClient } from './client.ts';
import {
  AdvanceClockDocument,
  ChainDocument,
  ConversationDocument,
  CreateCampaignDocument,
  FindPatientDocument,
  FollowCallDocument,
  FollowRunDocument,
  FollowTaskDocument,
  PlaceCallDocument,
  PreviewCampaignDocument,
  RunCampaignDocument,
  ScheduleTaskDocument,
  SetUpDocument,
  TimelineDocument,
  type PlaceCallMutationVariables,
} from './operations.ts';

const ourNumber = '+12125550190';
const tasksOver = new Set(['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT']);
const over = new Set(['COMPLETED', 'BUSY', 'NO_ANSWER', 'FAILED', 'CANCELED']);
const say = (line = '') => process.stdout.write(`${line}\n`);

/** Tells the main story in the terminal: patients come in, one is called and watched live, and everything is remembered. */
async function tell(client: ApiClient): Promise<void> {
  say('1. Patients come in from a FHIR file.');
  await client.run(SetUpDocument, { phone: ourNumber });
  await importPatients(client);

  say('\n2. May we call Maria Alvarez about her lab results?');
  const patientId = await ask(client);

  say('\n3. Calling her, and watching the call as it happens.');
  const wanted = { patientId, phoneFrom: ourNumber, purpose: 'LAB_RESULTS' as const, tags: ['demo'] };
  const call = await place(client, { ...wanted, reason: 'Lab results are in', goal: 'Ask her to call back' });
  const sid = await follow(client, call);
  await conversation(client, call);

  say('\n4. One more question: the second call knows the first.');
  const reason = 'Ask which pharmacy she prefers';
  const callback = await place(client, { ...wanted, reason, derivedFromCallSid: sid });
  await follow(client, callback);

  say('\n5. Her timeline, newest first.');
  await timeline(client, patientId);

  say('\n6. The chain of calls that the last one belongs to.');
  await chain(client, callback);

  say('\n7. A task: reach George Hall, whose line is busy. Each try is at another part of his day.');
  await pursue(client, await find(client, 'hall'));

  say('\n8. A campaign: everybody who may be called about a flu shot, at its own pace.');
  await campaign(client);
}

/** Previews a campaign, runs it, and watches its counts. */
async function campaign(client: ApiClient): Promise<void> {
  const input = {
    name: 'Flu shots',
    purpose: 'WELLNESS_CHECKUP' as const,
    reason: 'Offer a flu shot',
    runAt: '10:00',
    timeZone: 'America/New_York',
    audience: {},
    callsPerMinute: 30,
  };
  const made = (await client.run(CreateCampaignDocument, { input })).createCampaign;
  if (made?.__typename !== 'CampaignPayload') throw new Error('the campaign was refused');
  const { id } = made.campaign;
  const { campaignPreview: plan } = await client.run(PreviewCampaignDocument, { id });
  const left = plan.exclusions.map(({ reason, count }) => `${count} left out: ${words(reason)}`);
  say(`   Preview: ${plan.eligible} to call${left.map((line) => `, ${line}`).join('')}.`);
  const started = (await client.run(RunCampaignDocument, { id })).runCampaign;
  if (started?.__typename !== 'RunCampaignPayload') throw new Error('the run was refused');
  const run = { id: started.run.id };
  for await (const { campaignRunUpdated: now } of client.follow(FollowRunDocument, run)) {
    const { pending, inFlight, answered, unanswered } = now;
    say(
      `   ${words(now.status)}: ${pending} pending, ${inFlight} in flight, ${answered} answered, ${unanswered} not`,
    );
    if (now.status === 'COMPLETED') return;
  }
}

async function find(client: ApiClient, search: string) {
  const patient = (await client.run(FindPatientDocument, { search })).patients.edges[0]?.node;
  if (!patient) throw new Error(`${search} was not imported`);
  return patient;
}

async function ask(client: ApiClient): Promise<string> {
  const patient = await find(client, 'alvarez');
  const { allowed, basis, blocks } = patient.canContact;
  say(`   ${patient.name}, born ${patient.birthDate}, ${patient.phone}`);
  const grounds = `${words(basis ?? '')}, because she gave this number to the clinic`;
  say(allowed ? `   Yes: ${grounds}.` : `   No: ${blocks.map(words).join(', ')}.`);
  return patient.id;
}

/** Schedules a task and watches it; the simulated clock is moved to each next try. */
async function pursue(client: ApiClient, { id: patientId }: { id: string }): Promise<void> {
  const wanted = { patientId, reason: 'Check in after the discharge', maxAttempts: 3, backoffSeconds: 900 };
  const answer = (await client.run(ScheduleTaskDocument, { input: wanted })).scheduleTask;
  if (answer?.__typename !== 'ScheduleTaskPayload') throw new Error('the task was refused');
  const { id } = answer.task;
  for await (const { taskUpdated: task } of client.follow(FollowTaskDocument, { id })) {
    const { status, attempts, nextAttemptAt, nextAttemptReason } = task;
    say(`   ${words(status)}${attempts > 0 ? `, attempt ${attempts}` : ''}`);
    if (tasksOver.has(status)) return;
    if (!nextAttemptAt || attempts === 0) continue;
    say(`     ${nextAttemptReason}`);
    say(`     The clock is moved to ${clockIn('America/Chicago', nextAttemptAt)} in Chicago.`);
    await client.run(AdvanceClockDocument, { to: nextAttemptAt });
  }
}

const clockIn = (timeZone: string, at: string) =>
  new Date(at).toLocaleTimeString('en-US', { timeZone, timeStyle: 'short' });

async function chain(client: ApiClient, callId: string): Promise<void> {
  const links = (await client.run(ChainDocument, { callId })).call?.chain ?? [];
  for (const [index, { reason, status }] of links.entries()) {
    say(`   ${'  '.repeat(index)}${index > 0 ? '-> ' : ''}${reason} (${words(status)})`);
  }
}

async function importPatients(client: ApiClient): Promise<void> {
  const file = new Blob([readFileSync(new URL('patients.ndjson', import.meta.url))]);
  const counts = await client.importPatients(file, 'FHIR_NDJSON', 'clinic');
  say(
    `   ${counts.rows} rows: ${counts.accepted} accepted, ${counts.duplicates} known already, ${counts.invalid} not taken.`,
  );
  for (const { row, message } of counts.errors) say(`   Row ${row}: ${message}`);
}

async function place(client: ApiClient, input: PlaceCallMutationVariables['input']): Promise<string> {
  const answer = (await client.run(PlaceCallDocument, { input })).placeCall;
  if (answer?.__typename === 'PlaceCallPayload') return answer.call.id;
  throw new Error(`the call was refused: ${answer && 'message' in answer ? answer.message : 'no answer'}`);
}

async function follow(client: ApiClient, id: string): Promise<string> {
  const start = performance.now();
  let sid = '';
  let before = '';
  for await (const { callUpdated } of client.follow(FollowCallDocument, { id })) {
    sid = callUpdated.sid ?? sid;
    const { status, answeredBy, durationSeconds } = callUpdated;
    const details = [
      answeredBy && `answered by ${words(answeredBy)}`,
      durationSeconds && `${durationSeconds} s`,
    ].filter(Boolean);
    const line = `${words(status)}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
    if (line !== before) say(`   ${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${line}`);
    before = line;
    if (over.has(status)) break;
  }
  return sid;
}

/** What was said, and what came of it. */
async function conversation(client: ApiClient, id: string): Promise<void> {
  const { call } = await client.run(ConversationDocument, { id });
  for (const { speaker, text } of call?.transcript ?? []) say(`            ${speaker}: ${text}`);
  say(`   Outcome: ${words(call?.outcome ?? 'none')}. ${call?.summary ?? ''}`);
}

async function timeline(client: ApiClient, patientId: string): Promise<void> {
  const { patient } = await client.run(TimelineDocument, { patientId });
  for (const { node } of patient?.timeline.edges ?? []) {
    const at = node.effectiveAt.replace('T', ' ').slice(0, 19);
    say(`   ${at}  ${node.source.padEnd(8)}${node.summary}`);
  }
}

const words = (name: string) => name.toLowerCase().replaceAll('_', ' ');

/** A program of its own in a temporary folder, gone when the story is told. */
async function withProgram(work: (program: Program, key: string) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'callwell-demo-'));
  chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
  const key = randomBytes(24).toString('base64url');
  const settings = {
    PORT: '0',
    DEMO: '0',
    SIM_PACE: '4',
    DATA_DIR: dataDir,
    ADMIN_API_KEY: key,
    CLOCK_START: tenInNewYork(new Date()).toISOString(), // an hour at which she may be called
  };
  const config = readConfig({
    PATH: process.env['PATH'],
    NATS_SERVER_BIN: process.env['NATS_SERVER_BIN'],
    ...settings,
  });
  say('Starting a program of its own ...\n');
  const program = await startProgram(config, () => {});
  try {
    await work(program, key);
  } finally {
    await program.stop();
    await sleep(0);
    rmSync(dataDir, { recursive: true, force: true });
  }
}

// Who reads only the beginning closes the pipe: the story still ends, and cleans up behind itself.
process.stdout.on('error', () => {});
await withProgram(async (program, key) => {
  const client = openClient(program.url, key);
  await tell(client).finally(() => void client.close());
  say(
    '\nThat is the story. `npm start` keeps a program running, with sample patients and a few calls of its own.',
  );
});
