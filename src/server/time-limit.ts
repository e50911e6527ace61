import { getOperationAST, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { endingWith } from '../ending.ts';

/** Executes an operation. */
type Execute = (args: ExecutionArgs) => ExecutionResult | PromiseLike<ExecutionResult>;

/**
 * Gives a query so many seconds; then it is answered without data, and what Postgres still does for it is cancelled.
 * A mutation is never cut off: whoever has asked the carrier must hear what it answers. Its statements have limits of their own.
 */
export const openTimeLimit =
  (seconds: number) =>
  async (args: ExecutionArgs, execute: Execute): Promise<ExecutionResult> => {
    if (getOperationAST(args.document, args.operationName)?.operation !== 'query') return execute(args);
    const end = new AbortController();
    const { promise: late, resolve } = Promise.withResolvers<ExecutionResult>();
    const timer = setTimeout(() => {
      end.abort();
      const message = `The query took more than ${seconds} seconds. Ask for less at once.`;
      resolve({ errors: [new GraphQLError(message, { extensions: { code: 'TIMED_OUT' } })] });
    }, seconds * 1000);
    try {
      return await Promise.race([endingWith(end.signal, () => execute(args)), late]);
    } finally {
      clearTimeout(timer);
    }
  };

/** Executes an operation within its limit. */
export type TimeLimit = ReturnType<typeof openTimeLimit>;
