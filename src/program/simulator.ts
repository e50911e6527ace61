import type { RunningClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { table as calls, type Call } from '../domain/call.ts';
import { table as patients, type Patient } from '../domain/patient.ts';
import type { Log } from '../logger.ts';
import { startCarrier } from '../simulator/carrier.ts';
import type { World } from '../world.ts';

/** The simulated carrier; one that is another process's knows already where people's texts go. */
export type Simulator = { url: string; messagesTo?: (url: string) => void };

interface Opening {
  config: Config;
  log: Log;
  clock: RunningClock;
  opened(close: () => Promise<void>): void;
}

/** The simulated carrier: this process's own, or the one that another process of the same deployment has at its port. */
export async function openSimulator(
  { config, clock, log, opened }: Opening,
  world: World,
): Promise<Simulator | null> {
  if (!config.carrier.simulated) return null;
  try {
    const simulator = await startCarrier({
      ...config.simulator,
      accountSid: config.carrier.accountSid,
      authToken: config.carrier.authToken.reveal(),
      clock,
      log,
      birthDateOf: ({ sid }) => birthDateOf(world, sid),
    });
    opened(() => simulator.close());
    return simulator;
  } catch (error) {
    const url = `http://127.0.0.1:${config.simulator.port}`;
    const ledger =
      (error as { code?: string }).code === 'EADDRINUSE' && (await fetch(`${url}/ledger`).catch(() => null));
    if (!ledger || !ledger.ok) throw error;
    return { url };
  }
}

/** A simulated person is the patient who is called, and knows their date of birth. */
async function birthDateOf(world: World, sid: string): Promise<string | null> {
  const call = await world.findOne<Call>(calls, { sid: { eq: sid } });
  if (!call) return null;
  const where = { workspaceId: { eq: call.workspaceId }, id: { eq: call.patientId } };
  return (await world.findOne<Patient>(patients, where))?.birthDate ?? null;
}
