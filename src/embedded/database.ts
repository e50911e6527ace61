import { connectRunning, startPostgres } from './postgres.ts';

/**
 * Postgres for a command beside the program: the configured one, else the embedded one: that of the running program, or
 * one that is started until `stop`. Throws with what to do where neither answers.
 */
export async function reachDatabase(
  { databaseUrl, dataDir }: { databaseUrl: { reveal(): string } | null; dataDir: string },
  log: (line: string) => void,
): Promise<{ url: string; stop(): Promise<void> }> {
  const leave = () => Promise.resolve();
  if (databaseUrl !== null) return { url: databaseUrl.reveal(), stop: leave };
  try {
    return await startPostgres({ dataDir, log });
  } catch (error) {
    if (!(error as Error).message.includes('already in use')) throw error;
    const url = await connectRunning(dataDir);
    if (url !== null) return { url, stop: leave };
    const advice = 'but no Postgres answers there. Wait until it has started, stop it, or set DATABASE_URL.';
    throw new Error(`${(error as Error).message}, ${advice}`, { cause: error });
  }
}
