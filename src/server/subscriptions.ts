import {
  createSourceEventStream,
  execute,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
} from 'graphql';

/** Answers by what happened, then by what was asked of it. They are forgotten with what happened. */
type Answers = WeakMap<object, Map<string, Promise<ExecutionResult>>>;

/**
 * Answers subscriptions: a document is executed once for each thing that happens, for all subscribers who ask the same of
 * it. Each of them has a source of its own, at its own place and pace. `question` tells which ask the same: whatever the
 * answer depends on but what happened.
 */
export function openSubscriptions(mask: (error: unknown) => GraphQLError) {
  const answers: Answers = new WeakMap();

  function answerTo(happened: unknown, question: string, args: ExecutionArgs): Promise<ExecutionResult> {
    if (happened === null || typeof happened !== 'object') return answer({ ...args, rootValue: happened });
    const known = answers.get(happened) ?? new Map<string, Promise<ExecutionResult>>();
    answers.set(happened, known);
    const given = known.get(question) ?? answer({ ...args, rootValue: happened });
    known.set(question, given);
    return given;
  }

  const answer = async (args: ExecutionArgs): Promise<ExecutionResult> => masked(await execute(args), mask);

  return async (args: ExecutionArgs, question: string) => {
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return masked(source, mask);
    const happenings = source[Symbol.asyncIterator]();
    const end = { value: undefined, done: true } as const;
    return {
      async next(): Promise<IteratorResult<ExecutionResult, undefined>> {
        const { value, done } = await happenings.next();
        return done ? end : { value: await answerTo(value, question, args), done: false };
      },
      async return(): Promise<IteratorResult<ExecutionResult, undefined>> {
        await happenings.return?.();
        return end;
      },
      async throw(error: unknown): Promise<never> {
        await happenings.return?.();
        throw error;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  };
}

/** A result as clients are told it. */
export const masked = (result: ExecutionResult, mask: (error: unknown) => GraphQLError): ExecutionResult =>
  result.errors ? { ...result, errors: result.errors.map(mask) } : result;
