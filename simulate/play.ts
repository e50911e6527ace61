import type { Act, Step, Story } from './story.ts';
import type { Stage } from './stage.ts';

/** What a policy says of how often somebody may be contacted, and from when until when it may have been in force. */
interface Caps {
  perDay: number | null;
  perWeek: number | null;
  cooldownMinutes: number;
  from: number;
  until: number;
}

/** What was asked of the program, as far as it answered. */
export interface Asked {
  patientIds: string[];
  campaignIds: string[];
  /** The task of each key. */
  tasks: Map<string, string>;
  caps: Caps[];
  /** Numbers that were opted out, each with how much the carrier had been asked by then. */
  optOuts: { phone: string; ledger: number }[];
}

/** Plays a story's steps through the public API, and remembers what was answered. */
export class Play {
  readonly asked: Asked = {
    patientIds: [],
    campaignIds: [],
    tasks: new Map(),
    caps: [{ perDay: null, perWeek: null, cooldownMinutes: 0, from: 0, until: Infinity }],
    optOuts: [],
  };
  readonly #story: Story;
  readonly #stage: Stage;

  constructor(story: Story, stage: Stage) {
    this.#story = story;
    this.#stage = stage;
  }

  /** What is there before the story begins. */
  async furnish(): Promise<void> {
    const { tell } = this.#stage;
    await tell(`mutation {
      createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello.", machineMessage: "Please call us back." }) { __typename }
      one: registerPhoneNumber(input: { phone: "${ours}", text: true }) { __typename }
      other: registerPhoneNumber(input: { phone: "+19165550198", text: true }) { __typename }
      results: createTrigger(input: { name: "Results", kind: EVENT, eventType: "lab.result_received", maxRunsPerMinute: 2,
        action: { reason: "Your results are in", purpose: LAB_RESULTS, maxAttempts: 2, cancelOn: ["appointment.cancelled"] } }) { __typename }
      rounds: createTrigger(input: { name: "Rounds", kind: CRON, schedule: "30 15 * * *", filter: {},
        action: { reason: "How are you?", purpose: WELLNESS_CHECKUP, maxAttempts: 1 } }) { __typename } }`);
    await this.#import();
    const people = await tell(`{ patients(first: 50) { edges { node { id name } } } }`);
    const ids = new Map<string, string>(
      people.patients.edges.map(({ node }: { node: { id: string; name: string } }) => [node.name, node.id]),
    );
    this.asked.patientIds = this.#story.people.map(({ name }) => ids.get(name) ?? '');
    for (const input of this.#story.campaigns) {
      const { createCampaign } = await tell(
        `mutation ($input: CampaignInput!) { createCampaign(input: $input) { ... on CampaignPayload { campaign { id } } } }`,
        { input },
      );
      this.asked.campaignIds.push(createCampaign.campaign.id);
      await tell(`mutation ($id: ID!) { activateCampaign(id: $id) { __typename } }`, {
        id: createCampaign.campaign.id,
      });
    }
  }

  /** Does one step. `index` tells steps of the same kind apart. */
  async do(step: Step, index: number): Promise<void> {
    await (this.#acts[step.do] as (act: Act, index: number) => Promise<void> | void)(step, index);
  }

  /** No more campaigns, rounds and caps; what still waits is cancelled. */
  async finish(): Promise<void> {
    const { tell } = this.#stage;
    for (const id of this.asked.campaignIds)
      await tell(`mutation ($id: ID!) { archiveCampaign(id: $id) { __typename } }`, { id });
    const { triggers } = await tell(`{ triggers { id } }`);
    for (const trigger of triggers as { id: string }[])
      await tell(`mutation ($id: ID!) { setTriggerActive(id: $id, active: false) { __typename } }`, trigger);
  }

  /** Cancels every task that waits; answers how many did. */
  async cancelWaiting(): Promise<number> {
    const { tell } = this.#stage;
    const { outboundTasks } = await tell(
      `{ outboundTasks(first: 100, filter: { statuses: [SCHEDULED, SNOOZED] }) { edges { node { id } } } }`,
    );
    for (const { node } of outboundTasks.edges as { node: { id: string } }[])
      await tell(`mutation ($id: ID!) { cancelTask(id: $id, reason: "The end") { __typename } }`, node);
    return outboundTasks.edges.length;
  }

  readonly #acts: {
    [Name in Act['do']]: (act: Extract<Act, { do: Name }>, index: number) => Promise<void> | void;
  } = {
    schedule: ({ person, task, times }, index) =>
      this.#schedule(person, task, { times, key: `task ${index}` }),
    call: ({ person, times }, index) => this.#call(person, { times, key: `call ${index}` }),
    text: async ({ person }, index) => {
      const input = { patientId: this.#patient(person), reason: 'Check-up', idempotencyKey: `text ${index}` };
      await this.#stage.tell(
        `mutation ($input: StartConversationInput!) { startConversation(input: $input) { __typename } }`,
        { input },
      );
    },
    hear: async ({ person, words }) => {
      const body = JSON.stringify({ from: this.#person(person).phone, to: ours, body: words });
      await fetch(`${this.#stage.carrier.url}/inbound`, { method: 'POST', body });
    },
    'opt out': async ({ person }) => {
      await this.#stage.tell(
        `mutation ($id: ID!) { revokeConsent(patientId: $id, reason: "asked") { __typename } }`,
        { id: this.#patient(person) },
      );
      const { phone } = this.#person(person);
      this.asked.optOuts.push({ phone, ledger: this.#stage.carrier.ledger().length });
    },
    record: async ({ person, type, times }, index) => {
      const input = {
        patientId: this.#patient(person),
        sourceSystem: 'ehr',
        type,
        data: {},
        idempotencyKey: `event ${index}`,
      };
      const ids = await this.#repeat(times, 'recordEvent', 'RecordEventInput', {
        input,
        reads: '... on RecordEventPayload { event { id } }',
        idOf: ({ event }) => event?.id,
      });
      this.#once(ids, `event ${index}`);
    },
    reschedule: ({ task, inMinutes }) =>
      this.#onTask(task, 'rescheduleTask(id: $id, scheduledFor: $at)', inMinutes),
    snooze: ({ task, inMinutes }) => this.#onTask(task, 'snoozeTask(id: $id, until: $at)', inMinutes),
    cancel: ({ task }) => this.#onTask(task, 'cancelTask(id: $id)'),
    policy: (act) => this.#setPolicy(act),
    pause: ({ campaign }) => this.#onCampaign(campaign, 'pauseCampaign(id: $id)'),
    activate: ({ campaign }) => this.#onCampaign(campaign, 'activateCampaign(id: $id)'),
    run: ({ campaign }, index) =>
      this.#onCampaign(campaign, `runCampaign(id: $id, idempotencyKey: "run ${index}")`),
    edit: ({ campaign }) => this.#edit(campaign),
    import: () => this.#import(),
    crash: ({ process, pieces, isAfter, downSeconds }) => {
      const victim = this.#stage.process(process);
      victim?.arm({ pieces, isAfter, spring: () => this.#stage.crash(victim, downSeconds) });
    },
    freeze: ({ process, pieces, seconds }) => {
      const victim = this.#stage.process(process);
      victim?.arm({ pieces, isAfter: false, spring: () => this.#stage.freeze(victim, seconds) });
    },
    carrier: ({ treatments }) => void this.#stage.toCarrier.push(...treatments),
    callbacks: ({ fates }) => void this.#stage.callbacks.push(...fates),
    'wipe the stream': () => this.#stage.wipeStream(),
  };

  #person = (person: number) => this.#story.people[person % this.#story.people.length]!;
  #patient = (person: number) => this.asked.patientIds[person % this.#story.people.length]!;

  async #schedule(
    person: number,
    task: Extract<Act, { do: 'schedule' }>['task'],
    how: { times: number; key: string },
  ) {
    const { inMinutes, validMinutes, cancelOn, channel, ...rest } = task;
    const at = (minutes: number) => new Date(this.#stage.clock.now().getTime() + minutes * 60_000);
    const input = {
      ...rest,
      patientId: this.#patient(person),
      reason: 'Check-up',
      ...(channel ? { channel } : {}),
      scheduledFor: inMinutes === 0 ? null : at(inMinutes),
      validUntil: validMinutes === null ? null : at(inMinutes + validMinutes),
      cancelOn: cancelOn ? ['appointment.cancelled'] : [],
      idempotencyKey: how.key,
    };
    const ids = await this.#repeat(how.times, 'scheduleTask', 'ScheduleTaskInput', {
      input,
      reads: '... on ScheduleTaskPayload { task { id } }',
      idOf: ({ task }) => task?.id,
    });
    const [id] = this.#once(ids, how.key);
    if (id) this.asked.tasks.set(how.key, id);
  }

  async #call(person: number, { times, key }: { times: number; key: string }) {
    const input = {
      patientId: this.#patient(person),
      reason: 'A direct call',
      phoneFrom: ours,
      idempotencyKey: key,
    };
    const ids = await this.#repeat(times, 'placeCall', 'PlaceCallInput', {
      input,
      reads: '... on PlaceCallPayload { call { id } }',
      idOf: ({ call }) => call?.id,
    });
    this.#once(ids, key);
  }

  /** Asks the same several times at once, as who is unsure of the answer does; answers the ids that it got. */
  async #repeat(
    times: number,
    verb: string,
    type: string,
    { input, reads, idOf }: { input: object; reads: string; idOf: (told: Told) => string | undefined },
  ): Promise<string[]> {
    const query = `mutation ($input: ${type}!) { ${verb}(input: $input) { __typename ${reads} } }`;
    const told = await Promise.all(Array.from({ length: times }, () => this.#stage.tell(query, { input })));
    return told.flatMap((data) => idOf(data[verb] as Told) ?? []);
  }

  /** One key makes one thing. */
  #once(ids: string[], key: string): string[] {
    if (new Set(ids).size > 1) this.#stage.faults.push(`the key "${key}" made ${new Set(ids).size} things`);
    return ids;
  }

  async #onTask(task: number, verb: string, inMinutes?: number): Promise<void> {
    const ids = [...this.asked.tasks.values()];
    const id = ids[task % Math.max(1, ids.length)];
    if (!id) return;
    const at = new Date(this.#stage.clock.now().getTime() + (inMinutes ?? 0) * 60_000);
    const declared = inMinutes === undefined ? '$id: ID!' : '$id: ID!, $at: DateTime!';
    await this.#stage.tell(`mutation (${declared}) { ${verb} { __typename } }`, { id, at });
  }

  async #onCampaign(campaign: number, verb: string): Promise<void> {
    const ids = this.asked.campaignIds;
    const id = ids[campaign % ids.length];
    if (id) await this.#stage.tell(`mutation ($id: ID!) { ${verb} { __typename } }`, { id });
  }

  async #edit(campaign: number): Promise<void> {
    const { campaigns } = this.#story;
    const id = this.asked.campaignIds[campaign % campaigns.length];
    const input = { ...campaigns[campaign % campaigns.length], reason: 'The clinic has moved' };
    await this.#stage.tell(
      `mutation ($id: ID!, $input: CampaignInput!) { updateCampaign(id: $id, input: $input) { __typename } }`,
      { id, input },
    );
  }

  /** Which of two policies is in force is not known from the first question until the answer. */
  async #setPolicy({ perDay, perWeek, cooldownMinutes }: Extract<Act, { do: 'policy' }>): Promise<void> {
    const now = () => this.#stage.clock.now().getTime();
    const before = this.asked.caps.at(-1)!;
    this.asked.caps.push({ perDay, perWeek, cooldownMinutes, from: now(), until: Infinity });
    const input = { attemptsPerDay: perDay ?? 0, attemptsPerWeek: perWeek ?? 0, cooldownMinutes };
    await this.#stage.tell(`mutation ($input: PolicyInput!) { setPolicy(input: $input) { __typename } }`, {
      input,
    });
    before.until = now();
  }

  async #import(): Promise<void> {
    const rows = this.#story.people.map(({ name, phone, timeZone, tags }, index) =>
      [`P${index}`, name, phone, timeZone ?? '', tags.join(';')].join(','),
    );
    const file = ['MRN,Name,Phone,Time Zone,Tags', ...rows].join('\n');
    const query = `mutation ($file: File!) { importPatients(file: $file, format: CSV, sourceSystem: "ehr") {
      __typename ... on ImportPatientsPayload { accepted invalid } } }`;
    await this.#stage.post(() => {
      const form = new FormData();
      form.set('operations', JSON.stringify({ query, variables: { file: null } }));
      form.set('map', JSON.stringify({ 0: ['variables.file'] }));
      form.set('0', new File([file], 'people.csv', { type: 'text/csv' }));
      return form;
    });
  }
}

/** Our number: in an area code where nobody is called. */
const ours = '+19165550199';

/** What a mutation answers, as far as it is looked at. */
interface Told {
  task?: { id: string };
  call?: { id: string };
  event?: { id: string };
}
