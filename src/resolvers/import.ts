import { z } from 'zod';
import { InputRefusal } from '../domain/refusal.ts';
import type { ImportResult, ImportRowError as RowError } from '../importer.ts';
import { builder } from '../schema/builder.ts';
import { answering, ErrorCode } from '../schema/error.ts';
import { checked, sourceSystem } from '../schema/input.ts';

const ImportFormat = builder.enumType('ImportFormat', {
  values: ['FHIR_NDJSON', 'FHIR_BUNDLE', 'CSV'] as const,
});

const ImportRowError = builder.objectRef<RowError>('ImportRowError').implement({
  description: 'A row that was not imported, and why.',
  fields: (t) => ({
    row: t.exposeInt('row', {
      description: 'From 1: the line of an NDJSON, the entry of a Bundle, the record of a CSV.',
    }),
    field: t.exposeString('field', { nullable: true, description: 'Null: the row as a whole.' }),
    code: t.expose('code', { type: ErrorCode }),
    message: t.exposeString('message'),
  }),
});

const ImportPatientsPayload = builder.objectRef<ImportResult>('ImportPatientsPayload').implement({
  description: 'What became of the rows: accepted, duplicates and invalid sum to rows.',
  fields: (t) => ({
    rows: t.exposeInt('rows'),
    accepted: t.exposeInt('accepted'),
    duplicates: t.exposeInt('duplicates', { description: 'Rows that say nothing new.' }),
    invalid: t.exposeInt('invalid'),
    errors: t.expose('errors', { type: [ImportRowError], description: 'The first 1,000 invalid rows.' }),
  }),
});

const ImportPatientsResult = answering('ImportPatientsResult', ImportPatientsPayload, InputRefusal);

/** The rules of the arguments that are text. */
const rules = z.object({ sourceSystem });

builder.mutationFields((t) => ({
  importPatients: t.field({
    type: ImportPatientsResult,
    nullable: true,
    authScopes: { scope: 'patients:write' },
    description:
      'FHIR R4 NDJSON or Bundle, or CSV. Every row is accepted, a duplicate, or invalid with a reason; the three sum to rows.',
    args: {
      file: t.arg({ type: 'File', required: true }),
      format: t.arg({ type: ImportFormat, required: true }),
      sourceSystem: t.arg.string({
        required: true,
        description:
          'The system that the file comes from: 1-64 letters, digits, dots, dashes or underscores.',
      }),
    },
    resolve: (_, { file, format, ...args }, context) => {
      const { sourceSystem } = checked(rules, args, []);
      return context.importer.importFile(file.stream(), { format, sourceSystem, by: context.by() });
    },
  }),
}));
