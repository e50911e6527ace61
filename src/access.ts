import type { Attempts } from './attempt.ts';
import type { Context, Loaders } from './context.ts';
import type { Conversations } from './conversation.ts';
import { purposeOf } from './domain/patient-access.ts';
import { covers, type ApiKey, type Scope } from './domain/workspace.ts';
import { makeLoaders } from './loaders.ts';
import { openRequestLimits, type Standing } from './request-limit.ts';
import { failure } from './schema/builder.ts';

/** What every context holds, whoever asks. */
type Shared = Omit<
  Context,
  | 'key'
  | 'workspaceId'
  | 'attempts'
  | 'conversations'
  | 'publicUrl'
  | 'loaders'
  | 'renew'
  | 'by'
  | 'can'
  | 'saw'
> & {
  /** Null until the program is ready. */
  attempts(): Attempts | null;
  texts(): Conversations | null;
  publicUrl(): string;
  /** Of one key. */
  requestsPerMinute: number;
};

/** What is known of a request beside its key. */
export interface Asking {
  /** Why it reads, as it says itself. */
  purpose: unknown;
  /** Told how its key stands. */
  tell?: (standing: Standing) => void;
}

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

  /** The context of one request or operation; tells how its key stands. Throws RATE_LIMITED, and NOT_READY while the program starts. */
  async function contextOf(authorization: string | null, { purpose, tell }: Asking): Promise<Context> {
    opened();
    const key = await keyOf(authorization);
    if (key) await limit(key, tell);
    return contextWith(key, 'api', purposeOf(purpose));
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
    return contextWith({ ...key, lastUsedAt: null, revokedAt: null }, 'agent', null);
  }

  function contextWith(key: ApiKey | null, source: 'api' | 'agent', purpose: string | null): Context {
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
      saw: (subject, patientId) => {
        if (key) shared.accesses.note({ workspaceId, patientId, actor: key.id, subject, purpose });
      },
    };
  }

  async function limit(key: ApiKey, tell: Asking['tell']): Promise<void> {
    const standing = await limits.take(key, clock.now());
    tell?.(standing);
    if (!standing.isRefused) return;
    const seconds = standing.resetSeconds;
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
