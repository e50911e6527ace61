/** What must hold of a simulation after every step, and at its end. */
import { sql } from 'kysely';
import { ofLog, ofRows, idsIn } from '../chaos/check.ts';
import { ofContacts, ofCounts, ofMembers } from '../chaos/check-campaigns.ts';
import * as calls from '../src/domain/call.ts';
import type { Call } from '../src/domain/call.ts';
import * as campaigns from '../src/domain/campaign.ts';
import * as runs from '../src/domain/campaign-run.ts';
import type { CampaignRun } from '../src/domain/campaign-run.ts';
import * as contacts from '../src/domain/contact.ts';
import * as conversations from '../src/domain/conversation.ts';
import { fold, type Event, type Fact, type Kind, type Row } from '../src/domain/event.ts';
import * as patients from '../src/domain/patient.ts';
import * as tasks from '../src/domain/task.ts';
import type { OutboundTask } from '../src/domain/task.ts';
import { isOver } from '../src/domain/task-progress.ts';
import * as triggers from '../src/domain/trigger.ts';
import * as voicemails from '../src/domain/voicemail.ts';
import { contactsIn, unlawful, type Contact, type Refusing } from './law.ts';
import type { Play } from './play.ts';
import type { Stage } from './stage.ts';
import type { Story } from './story.ts';

const kinds = [tasks, calls, contacts, patients, campaigns, runs, conversations, voicemails, triggers].map(
  (kind) => kind as unknown as Kind<Row, Fact>,
);

/** How old the decision behind a contact may be, in milliseconds. */
const decisionMs = 5_000;

/** Looks after a simulation. */
export class Watch {
  readonly #story: Story;
  readonly #stage: Stage;
  readonly #play: Play;
  /** Up to where events were looked at. */
  #position = 0;
  /** Up to where the carrier's ledger was read. */
  #ledger = 0;
  readonly #contacts: Contact[] = [];

  constructor(story: Story, stage: Stage, play: Play) {
    this.#story = story;
    this.#stage = stage;
    this.#play = play;
  }

  /** How many contacts the carrier has begun. */
  get contacts(): number {
    return this.#contacts.length;
  }

  /** Whatever is not as it must be by now. */
  async step(): Promise<string[]> {
    const { world } = this.#stage;
    const all = await world.find<CampaignRun>(runs.table, {});
    return [
      ...this.#stage.faults,
      ...(await this.#ofEvents()),
      ...(await ofLog(world)),
      ...(await this.#ofContacts()),
      ...(await ofMembers(world)),
      ...(await ofCounts(world, all)),
      ...(await this.#ofTasks()),
      ...(await ofLeases(world, this.#stage.clock.now())),
    ];
  }

  /** Whatever is not as it must be when everything is over. */
  async end(): Promise<string[]> {
    const { world, natsUrl, carrier } = this.#stage;
    const dials = contactsIn(carrier.ledger(), 0)
      .filter(({ channel }) => channel === 'VOICE')
      .map(({ id, at }) => ({ callId: id, sid: '', at: new Date(at) }));
    return [
      ...(await this.step()),
      ...(await ofContacts(world, dials)),
      ...(await ofStream(world, natsUrl)),
      ...(await ofRest(world)),
      ...(await ofOutreach(this.#stage)),
    ];
  }

  /** What is new: rows are folds of their events, versions have no gaps, nothing goes back or on after its end. */
  async #ofEvents(): Promise<string[]> {
    const { world } = this.#stage;
    const news = await world.query<{ id: string; type: string; workspaceId: string; position: number }>(sql`
      select distinct on (entity_id) entity_id as id, entity_type as type, workspace_id as "workspaceId", position
      from event where position > ${this.#position} order by entity_id, position desc`);
    if (news.length === 0) return [];
    const { workspaceId } = news[0]!;
    const events = await world.eventsOf(workspaceId, { entityIds: news.map(({ id }) => id) });
    const faults: string[] = [];
    for (const kind of kinds) {
      const ids = news.filter(({ type }) => type === kind.entityType).map(({ id }) => id);
      const rows = await world.find<Row>(kind.table, { workspaceId: { eq: workspaceId }, id: { in: ids } });
      if (rows.length < ids.length) faults.push(`${ids.length - rows.length} of ${kind.entityType} are gone`);
      faults.push(...ofRows(kind, rows, events));
    }
    for (const [, history] of Map.groupBy(events, ({ entityId }) => entityId)) {
      if (history.some(({ version }, index) => version !== index + 1))
        faults.push(`the versions of ${history[0]!.entityId} have gaps`);
      faults.push(...ofCourse(history));
    }
    this.#position = Math.max(...news.map(({ position }) => position));
    return faults;
  }

  /** Each attempt is asked for once, and was allowed shortly before; the law, the caps and the hours are kept. */
  async #ofContacts(): Promise<string[]> {
    const { world, carrier } = this.#stage;
    const ledger = carrier.ledger();
    const news = contactsIn(ledger, this.#ledger);
    this.#ledger = ledger.length;
    if (news.length === 0) return [];
    const intents = await this.#intentsOf(news);
    const refusing = await refusingOf(world);
    const { people } = this.#story;
    const faults: string[] = [];
    for (const contact of news) {
      const { id, at, phone } = contact;
      const intent = intents.get(id);
      if (this.#contacts.some((other) => other.id === id)) faults.push(`${id} was asked for twice`);
      if (!intent?.allowed) faults.push(`${id} to ${phone} was asked for and not allowed`);
      else if (at - Date.parse(intent.decidedAt) > decisionMs)
        faults.push(`${id} was asked for ${at - Date.parse(intent.decidedAt)} ms after it was allowed`);
      if (intent?.isReply) continue; // nobody's attempt: it answers
      faults.push(...unlawful(contact, this.#contacts, { people, asked: this.#play.asked, refusing }));
      this.#contacts.push(contact);
    }
    return faults;
  }

  async #intentsOf(news: readonly Contact[]) {
    const ids = news.map(({ id }) => id);
    const found = await this.#stage.world.query<{
      id: string;
      allowed: boolean;
      decidedAt: string;
      isReply: boolean;
    }>(sql`
      select id, (decision->>'allowed')::boolean as allowed, decision->>'decidedAt' as "decidedAt", false as "isReply"
        from call where id = any(${ids})
      union all select id, (decision->>'allowed')::boolean, decision->>'decidedAt', is_reply from message where id = any(${ids})`);
    return new Map(found.map((intent) => [intent.id, intent]));
  }

  /** Every task that was promised is there; each run of a trigger has made the one that it tells. */
  async #ofTasks(): Promise<string[]> {
    const promised = [...this.#play.asked.tasks.values()];
    const missing = await this.#stage.world.query<{ fault: string }>(sql`
      select 'task ' || id || ' was promised and is not there' as fault from unnest(${promised}::uuid[]) as id
        where not exists (select from outbound_task t where t.id = id.id)
      union all select 'run ' || r.id || ' of a trigger has made no task' from trigger_run r
        where r.status = 'SUCCEEDED' and r.task_id is not null and not exists (select from outbound_task t where t.id = r.task_id)
      union all select 'task ' || id || ' had ' || attempts || ' attempts of ' || max_attempts from outbound_task where attempts > max_attempts`);
    return missing.map(({ fault }) => fault);
  }
}

type Reader = Stage['world'];

/** A status only rises, and the last one stays. */
function ofCourse(history: readonly Event[]): string[] {
  const faults: string[] = [];
  const { entityType, entityId, workspaceId } = history[0]!;
  if (entityType === calls.entityType) {
    let call: Call = calls.blank(entityId, workspaceId);
    for (const event of history) {
      const next = fold(calls, call, event as Event<calls.Fact>);
      const isBack = calls.rank[next.status] < calls.rank[call.status];
      if (isBack || (calls.isOver(call) && next.status !== call.status))
        faults.push(`call ${entityId} went from ${call.status} to ${next.status}`);
      call = next;
    }
  }
  if (entityType === tasks.entityType) {
    let task: OutboundTask = tasks.blank(entityId, workspaceId);
    for (const event of history) {
      if (task.version > 0 && isOver(task))
        faults.push(`task ${entityId}: ${event.type} after ${task.status}`);
      task = fold(tasks, task, event as Parameters<typeof tasks.evolve>[1]);
    }
  }
  return faults;
}

/** When which numbers were opted out, as the program itself tells. */
async function refusingOf(world: Reader): Promise<Refusing[]> {
  const numbers = await world.find<contacts.Contact>(contacts.table, {});
  const some = numbers[0];
  if (!some) return [];
  const times: Refusing[] = [];
  for (const { event, row } of await world.story(
    contacts,
    some.workspaceId,
    numbers.map(({ id }) => id),
  )) {
    const open = times.findLast(({ phone, until }) => phone === row.phone && until === Infinity);
    if (row.optedOutAt && !open)
      times.push({ phone: row.phone, from: event.recordedAt.getTime(), until: Infinity });
    if (!row.optedOutAt && open) open.until = event.recordedAt.getTime();
  }
  return times;
}

/** How long after its end a lease may still stand, in milliseconds. */
const leaseLeftMs = 60_000;

async function ofLeases(world: Reader, now: Date): Promise<string[]> {
  const ended = new Date(now.getTime() - leaseLeftMs);
  const found = await world.query<{ fault: string }>(sql`
    select 'run ' || id || ' of a trigger is held since ' || lease_until as fault from trigger_run
      where status = 'RUNNING' and lease_until < ${ended}
    union all select 'task ' || id || ' is held since ' || lease_until from outbound_task
      where status in ('DISPATCHED', 'RUNNING') and lease_until < ${ended}
    union all select 'delivery ' || id || ' is held since ' || lease_until from delivery
      where status = 'PENDING' and lease_until < ${ended}`);
  return found.map(({ fault }) => fault);
}

/** JetStream holds the log: each event once, in order. */
async function ofStream(world: Reader, natsUrl: string): Promise<string[]> {
  const log = await world.query<{ id: string }>(
    sql`select e.id from event_log l join event e on e.position = l.position order by l.global_seq`,
  );
  const held = await idsIn(natsUrl);
  const first = log.findIndex(({ id }, index) => id !== held[index]);
  if (first === -1 && held.length === log.length) return [];
  return [`the stream holds ${held.length} events, the log ${log.length}; they differ from ${first} on`];
}

/** Nothing is under way any more. */
async function ofRest(world: Reader): Promise<string[]> {
  const found = await world.query<{ fault: string }>(sql`
    select 'task ' || id || ' is ' || status as fault from outbound_task
      where status not in ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT')
    union all select 'call ' || id || ' is ' || status from call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')
    union all select 'message ' || id || ' is ' || status from message where status = 'PENDING'
    union all select 'run ' || id || ' is ' || status from campaign_run where status not in ('COMPLETED', 'CANCELLED')
    union all select 'run ' || id || ' of a trigger is ' || status from trigger_run where status = 'RUNNING'
    union all select 'an attempt at contact ' || c.id || ' never ended'
      from contact c, jsonb_array_elements(c.attempts) a where a->>'endedAt' is null
    union all select 'the outbox holds position ' || position from outbox`);
  return found.map(({ fault }) => fault);
}

/** What is counted of attempts is what there is. */
async function ofOutreach({ world, tell, clock }: Stage): Promise<string[]> {
  const { outreachStats } = await tell(
    `query ($until: DateTime!) { outreachStats(groupBy: CHANNEL, since: "2020-01-01T00:00:00Z", until: $until) { key attempts } }`,
    { until: clock.now() },
  );
  const told = (outreachStats as { key: string; attempts: number }[])
    .filter(({ attempts }) => attempts > 0) // a task that was due and never attempted counts as well
    .map(({ key, attempts }) => `${attempts} ${key}`);
  const [there] = await world.query<{ calls: number; texts: number; voicemails: number }>(sql`select
    (select count(*)::int from call) as calls, (select count(*)::int from voicemail) as voicemails,
    (select count(*)::int from message where direction = 'OUTBOUND' and not is_reply) as texts`);
  const { calls, texts, voicemails } = there!;
  const counted = [`${calls} VOICE`, `${texts} TEXT`, `${voicemails} VOICEMAIL`].filter(
    (one) => !one.startsWith('0 '),
  );
  const isSame = told.toSorted().join() === counted.toSorted().join();
  return isSame ? [] : [`${told.join(', ')} attempts are counted, and there are ${counted.join(', ')}`];
}
