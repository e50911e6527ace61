import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '..');

/**
 * A library of `bench/package.json`, typed by what is used of it: the compiler must do without those libraries, because
 * the project itself does not install them.
 */
export const library = <T>(name: string): Promise<T> => import(name) as Promise<T>;

/** Which version of a library is installed. */
export const versionOf = (name: string): string => versionIn(join(folder, 'node_modules', name));

/** Which version of the product this is. */
export const productVersion = (): string => versionIn(join(folder, '..'));

const versionIn = (place: string): string =>
  (JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as { version: string }).version;
