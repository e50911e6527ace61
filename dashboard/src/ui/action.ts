import { useState } from 'react';
import type { Fault } from './faults.ts';
import { useClient, type AnyVariables, type TypedDocumentNode } from 'urql';

/** What a mutation answers: its payload, or an error of the API with a message for people. */
type Answer = {
  __typename: string;
  code?: string;
  message?: string;
  fields?: Fault[];
};

/** How something goes that is being done. */
export interface Doing {
  isRunning: boolean;
  /** Why it was refused, in words; null: it was not. */
  problem: string | null;
  /** What of the input was wrong. */
  faults: Fault[];
  /** The refusal itself. */
  refusal: Answer | null;
  forget(): void;
}

/** Something that can be done, and how it went. */
export interface Action<D, V> extends Doing {
  /** Does it; null: it was refused, and `problem` says why. */
  run(variables: V): Promise<D | null>;
}

const none: Fault[] = [];

/** A mutation with one root field, whose refusals are told in words. */
export function useAction<D extends Record<string, unknown>, V extends AnyVariables>(
  document: TypedDocumentNode<D, V>,
): Action<D, V> {
  const client = useClient();
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [refusal, setRefusal] = useState<Answer | null>(null);
  const forget = () => {
    setProblem(null);
    setRefusal(null);
  };
  async function run(variables: V): Promise<D | null> {
    setRunning(true);
    forget();
    const { data, error } = await client.mutation(document, variables).toPromise();
    setRunning(false);
    const answer = Object.values(data ?? {}).find((value) => typeof value === 'object') as
      Answer | null | undefined;
    if (!error && answer?.code === undefined) return data ?? null;
    setProblem(wordsFor(answer, error?.message));
    setRefusal(answer ?? null);
    return null;
  }
  return { run, isRunning, problem, faults: refusal?.fields ?? none, refusal, forget };
}

function wordsFor(answer: Answer | null | undefined, error: string | undefined): string {
  const fields = answer?.fields?.map(({ message }) => message).join(' ');
  return fields || answer?.message || (error ?? 'It could not be done. Try again.').replace(/^\[\w+\] /, '');
}
