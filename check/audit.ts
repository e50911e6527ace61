import { spawnSync } from 'node:child_process';

/*
 * Asks the registry which of the installed packages have known faults, and fails on grave ones in what runs. Where the
 * registry cannot be asked it says so and fails nothing: a build must not depend on somebody else's service.
 */
const { stdout } = spawnSync('npm', ['audit', '--json', '--omit=dev'], { encoding: 'utf8' });
const answer = JSON.parse(stdout || '{}') as {
  metadata?: { vulnerabilities: Record<string, number> };
  vulnerabilities?: Record<string, { severity: string; via: (string | { title: string; url: string })[] }>;
};
if (answer.metadata) {
  const grave = Object.entries(answer.vulnerabilities ?? {}).filter(([, { severity }]) =>
    /high|critical/.test(severity),
  );
  for (const [name, { severity, via }] of grave) {
    const told = via.map((one) => (typeof one === 'string' ? one : `${one.title} ${one.url}`));
    process.stderr.write(`${name}, ${severity}: ${told.join('; ')}\n`);
  }
  process.stdout.write(`npm audit: ${JSON.stringify(answer.metadata.vulnerabilities)}\n`);
  process.exitCode = grave.length > 0 ? 1 : 0;
} else process.stdout.write('npm audit: the registry could not be asked\n');
