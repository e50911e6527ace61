/** What is not ours is what we have chosen: pinned, checked, under licences that we keep, running no scripts of its own. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { secretsIn } from '../../check/secrets.ts';
import { faultsOf, type Lock, type Manifest } from '../../check/supply.ts';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const changed = (path: string, change: object): Lock => ({
  ...lock,
  packages: { ...lock.packages, [path]: { ...lock.packages[path], ...change } },
});

test('nothing is wrong with what is installed', () => {
  expect(faultsOf(lock, manifest)).toEqual([]);
});

test.each([
  ['a script that nobody has allowed', changed('node_modules/pg', { hasInstallScript: true }), 'script'],
  ['a licence that binds our code', changed('node_modules/pg', { license: 'AGPL-3.0' }), 'licence'],
  ['a licence of tools in what runs', changed('node_modules/pg', { license: 'MPL-2.0' }), 'licence'],
  ['no licence', changed('node_modules/pg', { license: undefined }), 'licence'],
  ['no checksum', changed('node_modules/pg', { integrity: undefined }), 'checksum'],
  ['a place of its own', changed('node_modules/pg', { resolved: 'https://example.com/pg.tgz' }), 'one place'],
  ['another version', changed('node_modules/pg', { version: '0.0.1' }), 'another version'],
])('finds %s', (_what, wrong, word) => {
  expect(faultsOf(wrong, manifest)).toEqual([expect.stringMatching(new RegExp(`^pg.*${word}`))]);
});

test('finds what is not pinned, and scripts that are allowed for no reason', () => {
  const loose = { ...manifest, dependencies: { ...manifest.dependencies, pg: '^8.0.0' } };
  expect(faultsOf(lock, loose)[0]).toBe('pg is not pinned: ^8.0.0');
  const generous = { ...manifest, allowScripts: { ...manifest.allowScripts, pg: true } };
  expect(faultsOf(lock, generous)).toEqual(['pg may run scripts, and nothing says why']);
});

test.each([
  ['-----BEGIN RSA PRIVATE KEY-----', 'a private key'],
  [`AC${'0123456789abcdef'.repeat(2)}`, "an account's id of Twilio"],
  ['AKIAIOSFODNN7EXAMPLE', 'a key of AWS'],
  [`ghp_${'a1B2'.repeat(9)}`, 'a token of GitHub'],
  ['postgres://callwell:Tr0ub4dor-and-3@db.example.com/callwell', 'a password in a URL'],
  ['TWILIO_AUTH_TOKEN: "8f3a9c01d2e4b5f6a7980c1d2e3f4a5b"', 'a long random text under the name of a secret'],
])('finds %s, and does not tell it', (secret, what) => {
  expect(secretsIn(`const line = '${secret}';`)).toEqual([what]);
});

test('takes no word for a secret', () => {
  expect(secretsIn(`AC${'0'.repeat(32)} postgres://callwell:x@db.example.com`)).toEqual([]);
  expect(secretsIn(`secret: 'the-secret-of-the-cluster-in-tests'`)).toEqual([]);
});

test('there is a list of everything that is installed, in CycloneDX, and what only builds is marked', () => {
  const npm = ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'];
  const text = execFileSync('npm', npm, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1e8,
  });
  const { bomFormat, components } = JSON.parse(text) as {
    bomFormat: string;
    components: { purl: string; properties?: { name: string; value: string }[] }[];
  };
  expect(bomFormat).toBe('CycloneDX');
  const listed = new Map(components.map((component) => [decodeURIComponent(component.purl), component]));
  const purl = ([name, version]: [string, string]) => `pkg:npm/${name}@${version}`;
  const wanted = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(wanted.map(purl).filter((each) => !listed.has(each))).toEqual([]);
  const builds = listed.get(purl(['vitest', manifest.devDependencies['vitest']!]))!;
  expect(builds.properties).toContainEqual({ name: 'cdx:npm:package:development', value: 'true' });
});
