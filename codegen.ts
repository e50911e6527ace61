import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed documents for the clients of the API that live in this repository. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: 'demo/*.graphql',
  generates: {
    'demo/operations.ts': {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        enumType: 'string-literal',
        scalars: {
          ID: 'string',
          E164: 'string',
          DateTime: 'string',
          Date: 'string',
          TimeZone: 'string',
          JSONObject: 'Record<string, unknown>',
          File: 'File',
        },
      },
    },
  },
};
export default config;
