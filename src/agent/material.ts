import { contextTypes, type Material } from '../domain/agent-context.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import * as events from '../domain/event.ts';
import type { Event } from '../domain/event.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import { services, type Service } from '../domain/workspace.ts';
import type { World } from '../world.ts';

/** How many of the newest events of a patient are looked through. */
const newest = 200;

/** How many earlier calls are told. */
const earlierCalls = 5;

/** Who is called, and for whom: all that the scripted agent needs. */
export async function partiesOf(
  world: World,
  call: Call,
): Promise<Pick<Material, 'call' | 'patient' | 'service'>> {
  const here = { workspaceId: { eq: call.workspaceId } };
  const [patient, service] = await Promise.all([
    world.findOne<Patient>(patients.table, { ...here, id: { eq: call.patientId } }),
    call.serviceId ? world.findOne<Service>(services, { ...here, id: { eq: call.serviceId } }) : null,
  ]);
  if (!patient) throw new Error(`call ${call.id} has lost its patient`);
  return { call, patient, service };
}

/** Everything that a context is made of, read side by side. */
export async function materialOf(world: World, call: Call, now: Date): Promise<Material> {
  const here = { workspaceId: { eq: call.workspaceId } };
  const patientId = { eq: call.patientId };
  const [parties, happenings, earlier] = await Promise.all([
    partiesOf(world, call),
    world.page<Event>(events.table, {
      where: { ...here, patientId, type: { in: contextTypes } },
      order: ['effectiveAt', 'position'],
      descending: true,
      limit: newest,
    }),
    world.page<Call>(calls.table, {
      where: { ...here, patientId },
      order: ['id'],
      descending: true,
      after: [call.id],
      limit: earlierCalls,
    }),
  ]);
  return { ...parties, happenings, earlier, now };
}
