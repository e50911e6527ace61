import { rmSync } from 'node:fs';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { readConfig } from '../../src/config.ts';
import { startNats } from '../../src/embedded/nats.ts';
import type { Log } from '../../src/logger.ts';
import { startProgram, type Program } from '../../src/program.ts';
import { aTuesday } from './clock.ts';
import { withDatabaseUrl } from './database.ts';
import { quickFolder } from './folder.ts';
import { openFront } from './front.ts';
import { openReplicas, type Replicas } from './replicas.ts';

/** A whole program on a database, a nats-server and a simulated carrier of its own, with ways to ask it. */
export interface App extends Program {
  key: string;
  /** A GraphQL request over HTTP; the whole answer. */
  ask<T = Answer>(query: string, variables?: Record<string, unknown>, key?: string): Promise<T>;
  /** A WebSocket client with the app's key. */
  client(): Client;
  /** Waits for updates of a call until one fits; answers all of them. */
  follow(callId: string, until: (status: string) => boolean): Promise<string[]>;
  /** What the simulated carrier accepted and called back. */
  ledger(): Promise<LedgerEntry[]>;
}

/** A GraphQL answer, loosely typed: tests say what they expect of it. */
export interface Answer {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test reads whatever it has asked for
  data: any;
  errors?: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[];
}

/** One line of the simulated carrier's ledger. */
export interface LedgerEntry {
  kind: string;
  accepted: boolean;
  callSid: string | null;
  to: string;
  from: string;
}

/** The key of the default workspace in tests. */
export const testKey = 'test-key-test-key-test-key';

/** Whether a call of this status is over. */
export const isOver = (status: string): boolean =>
  ['COMPLETED', 'BUSY', 'NO_ANSWER', 'FAILED', 'CANCELED'].includes(status);

/** How many processes serve the API of each app, behind one address; without it one process does everything. */
const replicaCount = Number(process.env['TEST_REPLICAS'] ?? 0);

/**
 * Starts a program in this process for the length of `work`; `environment` adds settings. With TEST_REPLICAS=2 it only
 * works, and so many processes beside it serve, each request of whichever is next.
 */
export const withApp = <T>(
  work: (app: App) => Promise<T>,
  environment: Record<string, string> = {},
  log: Log = () => {},
): Promise<T> =>
  replicaCount > 0
    ? withReplicas(replicaCount, (app) => work(app), environment)
    : withServices(environment, (settings) => withProgram(settings, work, log));

/** An app of which so many processes serve the API, and the one of this process works. */
export const withReplicas = <T>(
  count: number,
  work: (app: App, replicas: Replicas) => Promise<T>,
  environment: Record<string, string> = {},
): Promise<T> =>
  withServices(environment, async (settings) => {
    let replicas: Replicas | null = null;
    let next = 0;
    const front = await openFront(() => {
      const urls = replicas?.urls ?? [];
      next += 1;
      return urls[next % urls.length] ?? null;
    });
    try {
      return await withProgram({ ...settings, ROLE: 'worker', PUBLIC_URL: front.url }, async (app) => {
        try {
          replicas = await openReplicas(count, { worker: app, front, environment: settings });
          return await work(app, replicas);
        } finally {
          await replicas?.close();
        }
      });
    } finally {
      await front.close();
    }
  });

/** A program of this process; where its settings name an address of others, it is reached there. */
async function withProgram<T>(
  settings: Record<string, string>,
  work: (app: App) => Promise<T>,
  log: Log = () => {},
): Promise<T> {
  const program = await startProgram(readConfig(settings), log);
  const clients: Client[] = [];
  try {
    return await work(appOf({ ...program, url: settings['PUBLIC_URL'] ?? program.url }, clients));
  } finally {
    for (const client of clients) await client.dispose();
    await program.stop();
  }
}

/** A database and a nats-server of its own, and the settings with which tests start. */
async function withServices<T>(
  environment: Record<string, string>,
  work: (settings: Record<string, string>) => Promise<T>,
): Promise<T> {
  const dataDir = quickFolder('app');
  const nats = await startNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
  try {
    return await withDatabaseUrl((databaseUrl) =>
      work({
        PORT: '0',
        DEMO: '0',
        SIM_PACE: '50',
        SIM_CPS: '200',
        CARRIER_CPS: '200',
        ADMIN_API_KEY: testKey,
        CLOCK_START: aTuesday,
        DATABASE_URL: databaseUrl,
        NATS_URL: nats.url,
        DATA_DIR: dataDir,
        ...environment,
      }),
    );
  } finally {
    await nats.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function appOf(program: Program, clients: Client[]): App {
  const client = () => {
    const made = createClient({
      url: `${program.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${testKey}` },
      retryAttempts: 0,
    });
    clients.push(made);
    return made;
  };
  return {
    ...program,
    key: testKey,
    client,
    ask: (query, variables, key = testKey) => ask(program.url, { query, variables, key }),
    async follow(callId, until) {
      const statuses: string[] = [];
      const updates = client().iterate<{ callUpdated: { status: string } }>({
        query: 'subscription ($id: ID!) { callUpdated(id: $id) { status } }',
        variables: { id: callId },
      });
      for await (const { data } of updates) {
        const status = data?.callUpdated.status ?? 'ERROR';
        if (statuses.at(-1) !== status) statuses.push(status);
        if (until(status)) break;
      }
      return statuses;
    },
    ledger: async () => (await fetch(`${program.simulatorUrl}/ledger`)).json() as Promise<LedgerEntry[]>,
  };
}

/** One GraphQL request over HTTP. */
export async function ask<T = Answer>(
  url: string,
  request: { query: string; variables?: Record<string, unknown> | undefined; key?: string },
): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(request.key ? { authorization: `Bearer ${request.key}` } : {}),
    },
    body: JSON.stringify({ query: request.query, variables: request.variables }),
  });
  return (await response.json()) as T;
}

/** What a workspace needs to place calls: a service and a number of ours. */
export async function setUp(
  app: App,
  phone = '+14155550199',
  key = app.key,
): Promise<{ numberId: string; serviceId: string }> {
  const { data } = await app.ask(
    `mutation ($phone: E164!) {
      createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello from the clinic." }) {
        ... on ServicePayload { service { id } }
      }
      registerPhoneNumber(input: { phone: $phone }) { ... on PhoneNumberPayload { phoneNumber { id } } }
    }`,
    { phone },
    key,
  );
  return { serviceId: data.createService.service.id, numberId: data.registerPhoneNumber.phoneNumber.id };
}

/** A patient with a number; answers its id. */
export async function addPatient(
  app: App,
  phone: string,
  name = 'Ada Lovelace',
  key = app.key,
): Promise<string> {
  const { data } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
    { input: { name, phone, sourceSystem: 'ehr' } },
    key,
  );
  return data.upsertPatient.patient.id;
}

/** Everything that placeCall may answer. */
export const placeCall = `mutation ($input: PlaceCallInput!) {
  placeCall(input: $input) {
    __typename
    ... on PlaceCallPayload { replayed call { id sid status phoneFrom phoneTo chain { id } } event { id type version } }
    ... on Error { code message }
    ... on InputError { fields { path message } }
    ... on NotFoundError { id }
    ... on ContactBlockedError { decision { allowed blocks basis } }
    ... on LimitError { retryAfterSeconds }
    ... on StateError { state }
    ... on CarrierError { carrierCode retryable }
  }
}`;
