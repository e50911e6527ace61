/** What is deployed is what the program is: manifests that Kubernetes would take, settings that exist, files that are there. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/config.ts';
import { findNats } from '../../src/embedded/nats.ts';

const folder = 'deploy/kubernetes';

interface Container {
  name: string;
  env?: { name: string; value?: string }[];
  command?: string[];
  securityContext: Record<string, unknown>;
  readinessProbe?: { httpGet: { path: string } };
  lifecycle?: { preStop: { sleep: { seconds: number } } };
}
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; generateName?: string };
  data?: Record<string, string>;
  spec: {
    replicas: number;
    strategy?: { rollingUpdate: object };
    selector?: { matchLabels: Record<string, string> };
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        terminationGracePeriodSeconds?: number;
        securityContext: Record<string, unknown>;
        containers: Container[];
      };
    };
  };
}

const manifests = readdirSync(folder)
  .filter((file) => file !== 'kustomization.yaml')
  .flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((each) => each.toJS() as Manifest),
  );
const running = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));
const ours = running.filter(({ spec }) => spec.template.metadata.labels['app'] === 'callwell');
const containers = (some: Manifest[]) => some.flatMap(({ spec }) => spec.template.spec.containers);
const settings = manifests.find(
  ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'callwell',
)!.data!;

/** What the Secret must hold, as its comment says. */
const secrets = {
  DATABASE_URL: 'postgres://callwell:x@postgres.example.com:5432/callwell',
  ADMIN_API_KEY: 'a-key-of-at-least-16',
  TWILIO_ACCOUNT_SID: `AC${'1'.repeat(32)}`,
  TWILIO_AUTH_TOKEN: 'token',
};

const compose = parse(readFileSync('deploy/compose.yaml', 'utf8'), { merge: true }) as {
  services: Record<
    string,
    { environment: Record<string, string>; command?: string[]; read_only?: boolean; depends_on?: object }
  >;
};

const dockerfile = readFileSync('Dockerfile', 'utf8');

/** Whether a manifest keeps the schema that Kubernetes itself publishes for its kind; throws with what does not. */
async function keepsSchema(manifest: Manifest): Promise<void> {
  const kinds = (await import(`kubernetes-models/${manifest.apiVersion}`)) as Record<
    string,
    new (given: object) => { validate(): void }
  >;
  new kinds[manifest.kind]!(manifest).validate();
}

test.each(
  manifests.map((manifest) => [manifest.kind, manifest.metadata.name ?? 'of a migration', manifest] as const),
)("the %s %s keeps Kubernetes' own schema", async (_kind, _name, manifest) => {
  await expect(keepsSchema(manifest)).resolves.toBeUndefined();
});

test('a manifest that is wrong would be found', async () => {
  const wrong = { ...running[0]!, spec: { ...running[0]!.spec, replicas: 'three' as unknown as number } };
  await expect(keepsSchema(wrong)).rejects.toThrow('replicas');
});

test('every container runs as nobody, writes nothing, and may do nothing', () => {
  for (const { spec } of running) {
    expect(spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
    for (const { securityContext } of spec.template.spec.containers)
      expect(securityContext).toEqual({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
  }
  expect(dockerfile).toMatch(/^USER 65532:65532$/m);
});

test('every role starts with the settings that it is given, and none of them is unknown', () => {
  const roles = containers(ours).flatMap(({ env = [] }) => env.map(({ name, value }) => `${name}=${value}`));
  expect(roles.toSorted()).toEqual(['ROLE=api', 'ROLE=worker']);
  for (const role of ['api', 'worker']) {
    const config = readConfig({ NODE_ENV: 'production', ...settings, ...secrets, ROLE: role });
    expect([config.role, config.production, config.natsReplicas]).toEqual([role, true, 3]);
  }
  for (const name of ['api', 'worker', 'migrate']) {
    const given = Object.keys(compose.services[name]!.environment);
    expect(given.filter((each) => !readFileSync('src/config.ts', 'utf8').includes(`  ${each}: `))).toEqual(
      [],
    );
    expect(Object.keys(secrets).filter((each) => !given.includes(each))).toEqual([]);
    expect(compose.services[name]!.read_only).toBe(true);
  }
});

test('a rollout loses nobody: a new one is ready before an old one leaves, and who leaves has time to', () => {
  const deployments = ours.filter(({ kind }) => kind === 'Deployment');
  expect(deployments).toHaveLength(2);
  for (const { spec } of deployments) {
    expect(spec.strategy!.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    expect(spec.replicas).toBeGreaterThan(1);
    const [container] = spec.template.spec.containers;
    expect(container!.readinessProbe!.httpGet.path).toBe('/health/ready');
    const leaves = container!.lifecycle!.preStop.sleep.seconds + 10; // the program's own limit
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(leaves);
  }
  const budgets = manifests.filter(({ kind }) => kind === 'PodDisruptionBudget');
  const guarded = budgets.map(({ spec }) => JSON.stringify(spec.selector!.matchLabels)).toSorted();
  const kept = running
    .filter(({ kind }) => kind !== 'Job')
    .map(({ spec }) => JSON.stringify(spec.selector!.matchLabels));
  expect(guarded).toEqual(kept.toSorted());
});

test('what is started is there: commands of the image, of the migration and of compose; and only migrating comes before', () => {
  const commands = [
    /^CMD (\[.*\])$/m.exec(dockerfile)![1]!,
    ...containers(ours).flatMap(({ command }) => (command ? [JSON.stringify(command)] : [])),
    ...Object.values(compose.services).flatMap(({ command }) =>
      command?.[0] === 'node' ? [JSON.stringify(command)] : [],
    ),
  ].map((text) => JSON.parse(text) as string[]);
  expect(commands.map(([program]) => program)).toEqual(['node', 'node', 'node']);
  for (const [, file] of commands) expect(existsSync(file!)).toBe(true);
  for (const role of ['api', 'worker'])
    expect(compose.services[role]!.depends_on).toMatchObject({
      migrate: { condition: 'service_completed_successfully' },
    });
  expect(dockerfile).toContain('HEALTHCHECK');
});

test('the image is made of the Node that everything is tested with, and of files that are not kept from it', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  expect(new Set(bases)).toEqual(new Set([`node:${dependencies['node']}-bookworm-slim`]));
  const lines = readFileSync('.dockerignore', 'utf8').split('\n');
  const admitted = new Set(lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1)));
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) =>
    files!.split(' '),
  );
  expect(copied.filter((file) => !admitted.has(file) || !existsSync(file))).toEqual([]);
});

test('nats-server takes the configuration of the cluster', async () => {
  const text = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'nats')!
    .data!['nats.conf']!;
  const dataDir = mkdtempSync(join(tmpdir(), 'callwell-nats-conf-'));
  try {
    const file = join(dataDir, 'nats.conf');
    writeFileSync(file, text.replace('/data', dataDir));
    const binary = await findNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
    const env = { ...process.env, POD_NAME: 'nats-0' };
    expect(() => execFileSync(binary, ['-t', '-c', file], { env, stdio: 'pipe' })).not.toThrow();
    writeFileSync(file, `${text}\nnonsense {`);
    expect(() => execFileSync(binary, ['-t', '-c', file], { env, stdio: 'pipe' })).toThrow('Parse error');
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
