import type { Voicemails } from '../attempt/voicemail.ts';
import type { Clock } from '../clock.ts';
import * as voicemails from '../domain/voicemail.ts';
import type { Voicemail } from '../domain/voicemail.ts';
import type { Mailbox } from '../voicemail.ts';
import type { Answered, Incoming } from '../webhooks.ts';
import type { World } from '../world.ts';

interface Tools {
  world: World;
  mailbox: Mailbox | null;
  voicemails: Pick<Voicemails, 'record'>;
  clock: Clock;
}

const path = /^\/carrier\/([0-9a-f-]{36})\/voicemails\/([0-9a-f-]{36})\/([\w-]{1,64})$/;

/** Takes what the vendor tells of voicemails, once or again. Only who was given the URL is the vendor. Null: not its path. */
export async function voicemailTold(
  { world, mailbox, voicemails: { record }, clock }: Tools,
  incoming: Incoming,
): Promise<Answered | null> {
  const [, workspaceId, id, signature] = path.exec(incoming.pathAndQuery.split('?')[0] ?? '') ?? [];
  if (!workspaceId || !id || !signature) return null;
  if (!(await mailbox?.isFromVendor(workspaceId, id, signature))) return { status: 403 };
  const result = mailbox!.resultOf(incoming.body, id);
  if (!result) return { status: 400 };
  const where = { workspaceId: { eq: workspaceId }, id: { eq: id } };
  const voicemail = await world.findOne<Voicemail>(voicemails.table, where);
  if (!voicemail) return { status: 404 };
  const by = { workspaceId, actor: 'voicemail-vendor', source: 'carrier' as const, now: clock.now() };
  await record(voicemail, (current) => voicemails.hear(current, result), by);
  return { status: 204 };
}
