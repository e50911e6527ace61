import type { Attempts } from './attempt.ts';
import type { Context, Loaders } from './context.ts';
import type { Conversations } from './conversation.ts';
import { covers, type ApiKey, type Scope } from './domain/workspace.ts';
import { makeLoaders } from './loaders.ts';
import { openRequestLimits } from './request-limit.ts';
import { failure } from './schema/builder.ts';

/** What every context holds, whoever asks. */
type Shared = Omit<
  Context,
  'key' | 'workspaceId' | 'attempts' | 'conversations' | 'publicUrl' | 'loaders' | 'renew' | 'by' | 'can'
> & {
  /** Null until the program is ready. */
  attempts(): Attempts | null;
  texts(): Conversations | null;
  publicUrl(): string;
  /** Of one key. */
  requestsPerMinute: number;
};

/** The workspace of who has no key: there is none with this id. */
const nowhere = '00000000-0000-0000-0000-000000000000';

/** Decides who asks, and in which workspace: the one place that does. */
export function openAccess(shared: Shared) {
  const { world, workspaces, clock } = shared;
  const limits = openRequestLimits({ world, perMinute: shared.requestsPerMinute });

  const keyOf = async (authorization: string | null): Promise<ApiKey | null> => {
    const secret = /^bearer (\S+)$/i.exec(authorization ?? '')?.[1];
    return secret ? workspaces.authenticate(secret) : null;
  };

  /** The context of one request or operation. Throws RATE_LIMITED, and NOT_READY while the program starts. */
  async function contextOf(authorization: string | null): Promise<Context> {
    opened();
    const key = await keyOf(authorization);
    if (key) await limit(key);
    return contextWith(key, 'api');
  }

  function opened() {
    const attempts = shared.attempts();
    const conversations = shared.texts();
    if (attempts && conversations) return { attempts, conversations };
    throw failure('NOT_READY', 'The program is starting. Try again in a second.');
  }

  /** The context of our own agent, with a key for this one thing that nobody else has. */
  function contextOfAgent({ workspaceId, scopes }: { workspaceId: string; scopes: Scope[] }): Context {
    const createdAt = clock.now();
    const key = { id: 'agent', name: 'agent', workspaceId, scopes, secretHash: '', createdAt };
    return contextWith({ ...key, lastUsedAt: null, revokedAt: null }, 'agent');
  }

  function contextWith(key: ApiKey | null, source: 'api' | 'agent'): Context {
    const workspaceId = key?.workspaceId ?? nowhere;
    let loaders: Loaders | null = null; // who only waits for something needs none
    return {
      ...shared,
      key,
      workspaceId,
      publicUrl: shared.publicUrl(),
      ...opened(),
      get loaders() {
        return (loaders ??= makeLoaders(shared, workspaceId));
      },
      set loaders(made) {
        loaders = made;
      },
      renew() {
        this.loaders = makeLoaders(shared, workspaceId);
      },
      by: () => ({
        workspaceId,
        actor: key?.id ?? '',
        source,
        now: clock.now(),
      }),
      can: (scope) => key !== null && covers(key.scopes, scope),
    };
  }

  async function limit(key: ApiKey): Promise<void> {
    const seconds = await limits.take(key, clock.now());
    if (seconds === null) return;
    const message = `This key has made its ${shared.requestsPerMinute} requests of this minute.`;
    const http = { status: 429, headers: { 'retry-after': String(seconds) } };
    throw failure('RATE_LIMITED', message, { retryAfterSeconds: seconds, http });
  }

  return {
    contextOf,
    contextOfAgent,
    isKey: async (authorization: string | null) => (await keyOf(authorization)) !== null,
  };
}
