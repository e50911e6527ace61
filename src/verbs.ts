import { graphql } from 'graphql';
import type { Context } from './context.ts';
import type { Scope } from './domain/workspace.ts';
import { schema } from './resolvers/index.ts';

/** A verb of the API that is asked for by a part of the program. `source` is one mutation, whose field is named `result`. */
export interface Asked {
  source: string;
  variables: Record<string, unknown>;
  workspaceId: string;
  /** What the key may do by which it is asked: no more than the verb needs. */
  scopes: Scope[];
}

/** What a verb answers: a payload, or one of the contract's errors. */
export interface Answered {
  __typename: string;
  code?: string;
  message?: string;
  fields?: { path: string[]; message: string }[];
}

/** The API's verbs, as anybody with a key has them: the same validation, scopes and idempotency. */
export function openVerbs(contextFor: (asked: Pick<Asked, 'workspaceId' | 'scopes'>) => Context) {
  return async function ask({ source, variables, ...holder }: Asked): Promise<Answered> {
    const contextValue = contextFor(holder);
    const { data, errors } = await graphql({ schema, source, variableValues: variables, contextValue });
    const [error] = errors ?? [];
    if (!error) return (data as { result: Answered }).result;
    const code = error.extensions['code'];
    if (typeof code === 'string') return { __typename: 'Error', code, message: error.message };
    throw error.originalError ?? error;
  };
}

/** Asks for verbs of the API. */
export type Verbs = ReturnType<typeof openVerbs>;
