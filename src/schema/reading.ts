import type { Context } from '../context.ts';
import type { Subject } from '../domain/patient-access.ts';
import type { Scope } from '../domain/workspace.ts';

/** The scope that a type needs which tells of a patient; whoever has it and reads one is remembered. */
export const readingOf =
  <R>(scope: Scope, subject: Subject, patientOf: (row: R) => string | null | undefined) =>
  (row: R, context: Context) => {
    const patientId = patientOf(row);
    if (patientId && context.can(scope)) context.saw(subject, patientId);
    return { scope };
  };
