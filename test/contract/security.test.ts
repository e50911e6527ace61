/** The threat model names, for each threat, the test that guards against it, or says that it is open. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const rows = readFileSync('docs/security.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\| (?:threat|-)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, threat = '', against = '', guard = '']) => ({ threat, against, guard }));

const guardsOf = (guard: string) =>
  [...guard.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)].map(([, file, title]) => ({
    file: file!,
    title: title!,
  }));

test('all six kinds of threat are looked at', () => {
  const kinds = [...readFileSync('docs/security.md', 'utf8').matchAll(/^## (\w[\w ]*): to /gm)].map(
    ([, kind]) => kind,
  );
  expect(kinds).toEqual([
    'Spoofing',
    'Tampering',
    'Repudiation',
    'Information disclosure',
    'Denial of service',
    'Elevation of privilege',
  ]);
  expect(rows.length).toBeGreaterThan(40);
});

test.each(rows)('$threat: the test that guards against it is there, or it is open', ({ against, guard }) => {
  expect(against).not.toBe('');
  if (guard.startsWith('open: ')) return;
  const guards = guardsOf(guard);
  expect(guards, guard).not.toEqual([]);
  expect(
    guards.filter(({ file, title }) => !existsSync(file) || !readFileSync(file, 'utf8').includes(title)),
  ).toEqual([]);
});
