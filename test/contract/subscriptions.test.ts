import { buildSchema, GraphQLError, parse } from 'graphql';
import { expect, test } from 'vitest';
import { openSubscriptions } from '../../src/server/subscriptions.ts';

const schema = buildSchema(`
  type Query { nothing: Boolean }
  type Call { status: String!, secret: String! }
  type Subscription { call: Call! }
`);
const mask = (error: unknown) =>
  new GraphQLError(error instanceof GraphQLError ? `masked: ${error.message}` : 'masked');

/** Something that tells each of its listeners the same calls, and counts how often they are looked at. */
function tower() {
  const looks = { count: 0 };
  const calls = ['RINGING', 'COMPLETED'].map((status) => ({
    call: {
      status: () => {
        looks.count += 1;
        return status;
      },
      secret: () => {
        throw new Error(`The secret of ${status}`);
      },
    },
  }));
  const left = { count: 0 };
  async function* tell() {
    try {
      for (const call of calls) yield await Promise.resolve(call);
    } finally {
      left.count += 1;
    }
  }
  return { looks, left, subscribe: tell };
}

type Answers = AsyncIterableIterator<{ data?: unknown; errors?: readonly GraphQLError[] }>;

async function all(answers: unknown): Promise<unknown[]> {
  const heard: unknown[] = [];
  for await (const answer of answers as Answers) heard.push(answer);
  return heard;
}

const argsOf = (subscribe: () => unknown, query: string) => ({
  schema,
  document: parse(query),
  rootValue: { call: subscribe },
});

test('those who ask the same of the same happening are answered together, and the others for themselves', async () => {
  const { looks, subscribe } = tower();
  const subscribed = openSubscriptions(mask);
  const ask = async (question: string) =>
    all(await subscribed(argsOf(subscribe, 'subscription { call { status } }'), question));
  const expected = ['RINGING', 'COMPLETED'].map((status) => ({ data: { call: { status } } }));
  const heard = await Promise.all(Array.from({ length: 50 }, () => ask('one')));
  expect(new Set(heard.map((answers) => JSON.stringify(answers)))).toEqual(
    new Set([JSON.stringify(expected)]),
  );
  expect(looks.count).toBe(2);
  await ask('another');
  expect(looks.count).toBe(4);
});

test('errors are masked, also those of a source that cannot be opened', async () => {
  const { subscribe } = tower();
  const subscribed = openSubscriptions(mask);
  const heard = await all(await subscribed(argsOf(subscribe, 'subscription { call { secret } }'), 'any'));
  expect(heard).toMatchObject([
    { errors: [{ message: 'masked: The secret of RINGING' }] },
    { errors: [{ message: 'masked: The secret of COMPLETED' }] },
  ]);
  const refusing = () => {
    throw new Error('not for you');
  };
  expect(await subscribed(argsOf(refusing, 'subscription { call { status } }'), 'any')).toMatchObject({
    errors: [{ message: 'masked: not for you' }],
  });
});

test('who leaves lets go of the source', async () => {
  const { left, subscribe } = tower();
  const answers = (await openSubscriptions(mask)(
    argsOf(subscribe, 'subscription { call { status } }'),
    'any',
  )) as Answers;
  await answers.next();
  await answers.return?.();
  expect(left.count).toBe(1);
});
