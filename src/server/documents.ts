import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
} from 'graphql';

/** The most tokens of a GraphQL document. */
export const tokenLimit = 2_000;

/** How many documents are remembered. */
const remembered = 1_000;

/**
 * Reads documents and holds them against the schema, each once: clients ask the same again and again. Without
 * `introspection` nobody may ask what can be asked, nor is helped to guess it.
 */
export function openDocuments(schema: GraphQLSchema, { introspection }: { introspection: boolean }) {
  const known = new Map<string, DocumentNode>();
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  return (query: string): DocumentNode | readonly GraphQLError[] => {
    const document = known.get(query);
    if (document) return document;
    try {
      const read = parse(query, { maxTokens: tokenLimit });
      const errors = validate(schema, read, rules);
      if (errors.length > 0) return introspection ? errors : errors.map(withoutSuggestions);
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

/** An error that does not tell what names there are beside the one that is wrong. */
export function withoutSuggestions(error: GraphQLError): GraphQLError {
  const message = error.message.replace(/ Did you mean .+\?$/s, '');
  const { nodes, source, positions, path, originalError, extensions } = error;
  return message === error.message
    ? error
    : new GraphQLError(message, {
        nodes: nodes ?? null,
        source: source ?? null,
        positions: positions ?? null,
        path: path ?? null,
        originalError: originalError ?? null,
        extensions,
      });
}
