import { useEffect, useRef } from 'react';
import { useQuery, type AnyVariables, type TypedDocumentNode, type UseQueryResponse } from 'urql';
import type { Change } from './feed.ts';
import { useChanges } from './session.tsx';

/** A query that is asked again soon after something has happened that concerns it. */
export function useLive<D, V extends AnyVariables>(
  query: TypedDocumentNode<D, V>,
  variables: V,
  options: { concerns: (change: Change) => boolean; everyMs?: number; pause?: boolean },
): UseQueryResponse<D, V>[0] {
  const version = useChanges(options.concerns, options.everyMs);
  const seen = useRef(version);
  const [result, ask] = useQuery<D, V>({ query, variables, pause: options.pause ?? false } as never);
  useEffect(() => {
    if (seen.current === version) return;
    seen.current = version;
    ask({ requestPolicy: 'network-only' });
  }, [version, ask]);
  return result;
}
