import { isOvertaken } from './sql.ts';

/**
 * Whether somebody else was in the way, so that the same may succeed at once. 40001: serialization failure; 40P01:
 * deadlock; 55P03: a lock took too long; 23505: two were first with a unique value.
 */
export const isConflict = (error: unknown): boolean =>
  isOvertaken(error) ||
  ['40001', '40P01', '55P03', '23505'].includes((error as { code?: string }).code ?? '');
