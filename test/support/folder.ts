import { existsSync, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that Linux keeps in memory. */
const inMemory = '/dev/shm';

/** What all that tests keep at one time fits in, several times over, in bytes. */
const roomBytes = 4_000_000_000;

/**
 * A new folder for what only lives as long as a test: in memory where this machine has the room, since making a
 * database costs a fifth of it there, else where temporary files are. Whoever asks removes it.
 */
export const quickFolder = (name: string): string =>
  mkdtempSync(join(hasRoom() ? inMemory : tmpdir(), `callwell-${name}-`));

function hasRoom(): boolean {
  if (!existsSync(inMemory)) return false;
  const { bavail, bsize } = statfsSync(inMemory);
  return bavail * bsize > roomBytes;
}
