import { GraphQLError, parse, validate, type DocumentNode, type GraphQLSchema } from 'graphql';

/** The most tokens of a GraphQL document. */
export const tokenLimit = 2_000;

/** How many documents are remembered. */
const remembered = 1_000;

/** Reads documents and holds them against the schema, each once: clients ask the same again and again. */
export function openDocuments(schema: GraphQLSchema) {
  const known = new Map<string, DocumentNode>();
  return (query: string): DocumentNode | readonly GraphQLError[] => {
    const document = known.get(query);
    if (document) return document;
    try {
      const read = parse(query, { maxTokens: tokenLimit });
      const errors = validate(schema, read);
      if (errors.length > 0) return errors;
      if (known.size >= remembered) known.clear();
      known.set(query, read);
      return read;
    } catch (error) {
      return [error as GraphQLError];
    }
  };
}

/** Finds the document of a text, or what is wrong with it. */
export type Documents = ReturnType<typeof openDocuments>;
