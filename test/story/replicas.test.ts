/** Several processes are one: whoever answers, the answer is the same, and one that leaves is missed by nobody. */
import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { eventually } from '../support/eventually.ts';
import { addPatient, ask, isOver, placeCall, setUp, testKey, withReplicas } from '../support/program.ts';

test('two processes that serve and one that works are one product, through a rollout', () =>
  withReplicas(2, async (app, replicas) => {
    const { serviceId } = await setUp(app);
    const patientId = await addPatient(app, '+14155550100');
    const [one, other] = replicas.urls as [string, string];
    const input = {
      patientId,
      phoneFrom: '+14155550199',
      reason: 'Results',
      serviceId,
      idempotencyKey: 'once',
    };

    // Asked of both at once with one key there is one call, whoever was first.
    const asked = await Promise.all(
      [one, other, one, other].map((url) =>
        ask(url, { query: placeCall, variables: { input }, key: testKey }),
      ),
    );
    const ids = new Set(asked.flatMap(({ data }) => data.placeCall.call?.id ?? []));
    expect(ids.size).toBe(1);
    const [id] = [...ids] as [string];
    expect(asked.filter(({ data }) => data.placeCall.__typename === 'ContactBlockedError')).toEqual([]);

    // It is watched at each of them to its end, wherever it was placed and called back.
    for (const url of [one, other]) {
      const client = createClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${testKey}` },
      });
      let last = '';
      for await (const { data } of client.iterate<{ callUpdated: { status: string } }>({
        query: 'subscription ($id: ID!) { callUpdated(id: $id) { status } }',
        variables: { id },
      })) {
        last = data!.callUpdated.status;
        if (isOver(last)) break;
      }
      expect(last).toBe('COMPLETED');
      await client.dispose();
    }
    expect((await app.ledger()).filter(({ kind, accepted }) => kind === 'create' && accepted)).toHaveLength(
      1,
    );

    // The log of whoever placed it leads from the request to the events and to the call.
    const told = replicas.lines.find(({ msg }) => String(msg).startsWith('mutation placeCall was answered'));
    expect(told).toMatchObject({ request: expect.stringMatching(/^[0-9a-f-]{36}$/), about: [id] });
    expect((told!['events'] as string[]).length).toBeGreaterThan(1);

    // One leaves while requests come, and another takes its place: nobody is refused.
    const rolling = new AbortController();
    const failures: unknown[] = [];
    const asking = (async () => {
      while (!rolling.signal.aborted) {
        const { data, errors } = await app
          .ask('{ calls(first: 1) { edges { node { id } } } }')
          .catch((error: unknown) => ({ data: null, errors: [String(error)] }));
        if (!data) failures.push(errors);
      }
    })();
    await replicas.join();
    await eventually(() => replicas.urls.length === 3);
    expect(await replicas.leave(0)).toBe(0);
    rolling.abort();
    await asking;
    expect(replicas.urls).toHaveLength(2);
    expect(failures).toEqual([]);
  }));
