import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** What secrets look like: those with a form of their own, and long random texts beside a name that says what they are. */
const forms: { [name: string]: RegExp } = {
  'a private key': /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/,
  "an account's id of Twilio": /\bAC(?!(.)\1{31})[0-9a-f]{32}\b/,
  'a key of Twilio': /\bSK[0-9a-f]{32}\b/,
  'a key of AWS': /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  'a token of GitHub': /\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{60,}\b/,
  'a token of npm': /\bnpm_[A-Za-z0-9]{36}\b/,
  'a token of Slack': /\bxox[abprs]-[\w-]{10,}/,
  'a key of Google': /\bAIza[\w-]{35}\b/,
  'a key of an AI service': /\bsk-(?:[a-z]+-)*[A-Za-z0-9]{20,}/,
  'a signed web token': /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/,
  'a password in a URL':
    /\b(?:postgres(?:ql)?|nats|amqp|redis|https?):\/\/[^\s:/@'"`${}]+:(?!x@|\.\.\.)[^\s@'"`${}[\]]{12,}@/,
};

/** A name that says secret, and what is given to it. */
const named =
  /(?:secret|token|password|passwd|api_?key|auth)["']?\s*[:=]\s*["'`]([A-Za-z0-9+/_=-]{24,})["'`]/gi;

/** How mixed a text is, in bits a character; words have less than 3.6, random hex has nearly 4. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0,
  );
}

/** What in a text looks like a secret; a secret itself is not told. */
export function secretsIn(text: string): string[] {
  const found = Object.entries(forms).flatMap(([name, form]) => (form.test(text) ? [name] : []));
  for (const [, value] of text.matchAll(named))
    if (entropyOf(value!) > 3.6 && /\d/.test(value!))
      found.push('a long random text under the name of a secret');
  return found;
}

/** Files with secrets that are made up, and why. */
const made: { [file: string]: string } = {
  'test/contract/config.test.ts': 'to see that they are told nowhere',
  'test/contract/supply.test.ts': 'to see that they would be found',
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  })
    .split('\0')
    .filter((file) => file && !/\.(?:webp|png|mp3)$|^package-lock\.json$/.test(file) && !(file in made));
  const faults = files.flatMap((file) =>
    secretsIn(readFileSync(file, 'utf8')).map((what) => `${file} holds ${what}`),
  );
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
