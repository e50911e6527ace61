import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed documents of one client. */
const documents = (path: string) => ({
  documents: path,
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
      LocalTime: 'string',
      JSONObject: 'Record<string, unknown>',
      File: 'File',
    },
  },
});

/** Typed documents for the clients of the API that live in this repository. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'demo/operations.ts': documents('demo/*.graphql'),
    'dashboard/src/operations.ts': documents('dashboard/src/**/*.graphql'),
  },
};
export default config;
