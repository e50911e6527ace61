import { World } from './0001-world.ts';

/** Every migration, oldest first. One that has been released is never edited. */
export const migrations = [{ name: '0001-world', class: World }];
