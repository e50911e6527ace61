import { sql } from 'kysely';
import schedule from 'node-schedule';
import type { Campaigns } from '../campaign.ts';
import type { Agent } from '../agent.ts';
import type { Carrier } from '../carrier.ts';
import type { RecordingCarrier } from '../carrier/recording.ts';
import type { Conversations } from '../conversation.ts';
import { followRuns, nextFollow } from './follow-runs.ts';
import { nextCampaign, runCampaigns } from './run-campaigns.ts';
import { answering, answerTexts } from './answer-texts.ts';
import { hangUpMachines, reactions, stopRinging } from './end-calls.ts';
import { relayEvents } from './relay-events.ts';
import { openDispatcher, type Dispatcher } from './dispatch-tasks.ts';
import { isOwed } from '../delivery/queue.ts';
import { isAwaited } from '../trigger/match.ts';
import { deleteRecordings, nextDeletion } from './delete-recordings.ts';
import { enqueueDeliveries } from './enqueue-deliveries.ts';
import { cursorOf } from './follow-log.ts';
import { matchEvents } from './match-events.ts';
import { nextSweep, sweepCalls, type Sweep } from './sweep-calls.ts';
import { nextVoicemailSweep, sweepVoicemails } from './sweep-voicemails.ts';
import { nextTimeOut, timeOutTasks } from './time-out-tasks.ts';
import type { RunningClock } from '../clock.ts';
import type { Counters } from '../metrics/counters.ts';
import { outreach } from '../outreach.ts';
import { follow } from '../projection.ts';
import { inScope } from '../scope.ts';
import { watchUsage } from '../usage.ts';
import type { Deliveries } from '../delivery.ts';
import type { Outcomes } from '../outcome.ts';
import type { Schedule } from '../schedule.ts';
import type { Stream } from '../stream.ts';
import type { Triggers } from '../trigger.ts';

/** What the jobs are run with. */
export interface JobTools extends Sweep {
  carrier: Carrier & RecordingCarrier;
  campaigns: Campaigns;
  triggers: Triggers;
  deliveries: Deliveries;
  conversations: Conversations;
  agent: Pick<Agent, 'replyTo'>;
  schedule: Schedule;
  outcomes: Outcomes;
  stream: Stream;
  clock: RunningClock;
  counters: Pick<Counters, 'dispatched'>;
}

/** The tools, and what goes on between two runs. */
interface Running extends JobTools {
  dispatcher: Dispatcher;
}

/** What happens on the clock. */
interface ClockJob {
  /** When, in node-schedule's words with seconds. */
  rule: string;
  /** When it next has something to do, so that a clock which is moved passes over the ticks in between; null: nothing. */
  nextAt(tools: Running): Promise<Date | null>;
  /** What is done with the time it then is; answers how much it was. */
  run(tools: Running, now: Date): Promise<number>;
}

const onTheClock: Record<string, ClockJob> = {
  'dispatch-tasks': {
    rule: '*/30 * * * * *', // the safety net: it is woken when something is due
    nextAt: ({ dispatcher }) => dispatcher.nextAt(),
    run: ({ dispatcher }) => dispatcher.run(),
  },
  'run-campaigns': {
    rule: '*/5 * * * * *',
    nextAt: (tools) => nextCampaign(tools, tools.clock.now()),
    run: runCampaigns,
  },
  'follow-runs': {
    rule: '* * * * * *',
    nextAt: (tools) => nextFollow(tools, tools.clock.now()),
    run: followRuns,
  },
  'fire-triggers': {
    rule: '* * * * * *',
    nextAt: ({ triggers }) => triggers.nextTickAt(),
    run: ({ triggers }) => triggers.tick(),
  },
  'run-triggers': {
    rule: '* * * * * *', // the safety net: whoever queues a run runs it
    nextAt: ({ triggers }) => triggers.nextRunAt(),
    run: ({ triggers }) => triggers.run(),
  },
  'deliver-events': {
    rule: '* * * * * *', // the safety net: whoever queues a delivery posts it
    nextAt: ({ deliveries }) => deliveries.nextAt(),
    run: ({ deliveries }) => deliveries.run(),
  },
  'time-out-tasks': { rule: '*/10 * * * * *', nextAt: nextTimeOut, run: timeOutTasks },
  'sweep-messages': {
    rule: '* * * * * *',
    nextAt: ({ conversations }) => conversations.nextSettleAt(),
    run: ({ conversations }, now) => conversations.settle(now),
  },
  'sweep-calls': { rule: '* * * * * *', nextAt: nextSweep, run: sweepCalls },
  'watch-usage': { rule: '*/15 * * * * *', nextAt: () => Promise.resolve(null), run: watchUsage },
  'delete-recordings': { rule: '*/30 * * * * *', nextAt: nextDeletion, run: deleteRecordings },
  'sweep-voicemails': { rule: '*/5 * * * * *', nextAt: nextVoicemailSweep, run: sweepVoicemails },
};

/** What happens on the stream, for as long as the process lives. */
const onTheStream: Record<string, (tools: Running, signal: AbortSignal) => Promise<void>> = {
  'relay-events': relayEvents,
  'wake-dispatcher': ({ dispatcher }, signal) => dispatcher.follow(signal),
  'match-events': matchEvents,
  'enqueue-deliveries': enqueueDeliveries,
  'hang-up-machines': hangUpMachines,
  'stop-ringing': stopRinging,
  'answer-texts': answerTexts,
  'project-outreach': (tools, signal) => follow(tools, outreach, signal),
};

/** What follows the log, each with a type of event that it is to have read. */
type Following = [name: string, type: string];
const reacting: Following[] = Object.entries({ ...reactions, ...answering });
const projecting = outreach.types.map((type): Following => [outreach.name, type]);

/** A clock that is moved ticks as often as the jobs' rules do at most, in milliseconds. */
const tickMs = 1_000;

/** Starts every job. The answer stops them, and resolves when what was under way is done. */
export function startJobs(given: JobTools): () => Promise<void> {
  const { clock } = given;
  const dispatcher = openDispatcher(given);
  const tools = { ...given, dispatcher };
  const stop = new AbortController();
  const streams = Object.entries(onTheStream).map(([name, run]) =>
    run(tools, stop.signal).catch((error: unknown) => tools.log(`${name} ended`, error)),
  );
  const running = new Map<string, Promise<void>>();
  const begin = (name: string, { run }: ClockJob) => {
    if (running.has(name)) return; // the last run still goes on: one at a time in a process
    const done = inScope({ name }, () => run(tools, clock.now()))
      .then((count) => count > 0 && tools.log(`${name}: ${count}`))
      .catch((error: unknown) => tools.log(`${name} failed; it runs again at the next tick`, error))
      .then(() => void running.delete(name));
    running.set(name, clock.busy(done));
  };
  const ticks = Object.entries(onTheClock).map(([name, job]) =>
    schedule.scheduleJob(job.rule, () => {
      if (!clock.isMoving()) begin(name, job);
    }),
  );
  const leave = followClock(tools, () => {
    for (const [name, job] of Object.entries(onTheClock)) begin(name, job);
  });
  return async () => {
    leave();
    for (const tick of ticks) tick.cancel();
    stop.abort();
    await dispatcher.stop();
    await Promise.all([...streams, ...running.values()]);
  };
}

/** Lets the jobs run on the way of a clock that is moved: all of them, whenever one of them has something due. */
function followClock(tools: Running, begin: () => void): () => void {
  const { clock, world } = tools;
  let notBefore = 0;
  return clock.follow({
    nextAt: async () => {
      const due = await Promise.all(Object.values(onTheClock).map((job) => job.nextAt(tools)));
      const first = Math.min(...due.map((at) => at?.getTime() ?? Infinity));
      return first === Infinity ? null : new Date(Math.max(first, notBefore));
    },
    run: () => {
      notBefore = clock.now().getTime() + tickMs;
      begin();
    },
    // What happened has its place in the log, and every reaction to it has been; at the end it is projected, too, of which
    // nothing that happens on the way knows.
    isSettled: async (atEnd) => {
      const followers = atEnd ? [...reacting, ...projecting] : reacting;
      const [state] = await world.query<{ settled: boolean }>(sql`
        select not exists (select from outbox) and not exists (
          select from unnest(${followers.map(([name]) => name)}::text[], ${followers.map(([, type]) => type)}::text[]) as follower(name, type)
          left join (select name, cursor from log_position union all select name, cursor from projection where is_live) p
            on p.name = follower.name
          join event_log l on l.global_seq > coalesce(p.cursor, 0)
          join event e on e.workspace_id = l.workspace_id and e.position = l.position and e.type = follower.type)
        and not ${isAwaited(cursorOf('match-events'))} and not ${isOwed(cursorOf('enqueue-deliveries'))} as settled`);
      return state!.settled;
    },
  });
}
