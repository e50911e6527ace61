import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

/** What an import answers. */
interface ImportCounts {
  rows: number;
  accepted: number;
  duplicates: number;
  invalid: number;
  errors: { row: number; message: string }[];
}

/** A client of the API as any other could be: HTTP for queries and mutations, a WebSocket for subscriptions. */
export function openClient(url: string, key: string) {
  const authorization = `Bearer ${key}`;
  const sockets = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
  });

  async function send<R>(body: string | FormData): Promise<R> {
    const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { authorization, ...type },
      body,
    });
    const answer = (await response.json()) as { data?: R; errors?: { message: string }[] };
    if (answer.errors?.[0]) throw new Error(answer.errors[0].message);
    return answer.data!;
  }

  return {
    run: <R, V>(document: TypedDocumentNode<R, V>, variables: V) =>
      send<R>(JSON.stringify({ query: print(document), variables })),

    async *follow<R, V extends Record<string, unknown>>(document: TypedDocumentNode<R, V>, variables: V) {
      for await (const { data, errors } of sockets.iterate<R>({ query: print(document), variables })) {
        if (errors?.[0]) throw new Error(errors[0].message);
        if (data) yield data;
      }
    },

    /** An upload, as the multipart request specification says. */
    async importPatients(file: Blob, format: string, sourceSystem: string): Promise<ImportCounts> {
      const query = `mutation ($file: File!, $format: ImportFormat!, $sourceSystem: String!) {
        importPatients(file: $file, format: $format, sourceSystem: $sourceSystem) {
          ... on ImportPatientsPayload { rows accepted duplicates invalid errors { row message } }
          ... on Error { message }
        }
      }`;
      const form = new FormData();
      form.set('operations', JSON.stringify({ query, variables: { file: null, format, sourceSystem } }));
      form.set('map', JSON.stringify({ 0: ['variables.file'] }));
      form.set('0', file, 'patients.ndjson');
      return (await send<{ importPatients: ImportCounts }>(form)).importPatients;
    },

    close: () => sockets.dispose(),
  };
}

/** A client of the API. */
export type ApiClient = ReturnType<typeof openClient>;
