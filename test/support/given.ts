import { expect } from 'vitest';
import { fold, type Event, type Fact, type Kind, type Row } from '../../src/domain/event.ts';
import { Refusal, type Code } from '../../src/domain/refusal.ts';

/** When every given fact happened, unless it says so itself. */
export const now = new Date('2026-03-02T15:00:00Z');

/** A fact as an event, with an id that tells its place. */
export const eventOf = <F extends Fact>(fact: F, version: number): Event<F> => ({
  id: `00000000-0000-7000-8000-${String(version).padStart(12, '0')}`,
  workspaceId: '00000000-0000-7000-8000-00000000aaaa',
  entityType: 'CALL',
  entityId: '00000000-0000-7000-8000-00000000bbbb',
  version,
  type: fact.type,
  data: fact.data,
  patientId: null,
  source: 'api',
  sourceSystem: fact.sourceSystem ?? null,
  actor: 'test',
  confidence: fact.confidence ?? 1,
  effectiveAt: fact.effectiveAt ?? now,
  recordedAt: fact.effectiveAt ?? now,
  causationId: null,
  correlationId: null,
  supersedesId: null,
  cursor: null,
});

/** The row that facts fold into. */
export const after = <R extends Row, F extends Fact>(kind: Kind<R, F>, ...facts: F[]): R =>
  facts.reduce<R>(
    (row, fact) => fold(kind, row, eventOf(fact, row.version + 1)),
    kind.blank('00000000-0000-7000-8000-00000000bbbb', '00000000-0000-7000-8000-00000000aaaa'),
  );

/** Given these facts, when this is decided, then these facts follow, or it is refused. */
export const given =
  <R extends Row, F extends Fact>(kind: Kind<R, F>) =>
  (...facts: F[]) => {
    const row = after(kind, ...facts);
    return {
      row,
      when: (decide: (row: R) => unknown) => ({
        // oxlint-disable-next-line unicorn/no-thenable -- given, when, then
        then: (...expected: unknown[]) => expect(decide(row)).toEqual(expected),
        refused: (code: Code) => {
          const refusal = expect.objectContaining({ code }) as Refusal;
          expect(() => decide(row)).toThrow(refusal);
        },
      }),
    };
  };
