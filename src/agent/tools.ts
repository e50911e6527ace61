import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { outcomes } from '../domain/call-fact.ts';
import type { Purpose } from '../domain/consent.ts';
import { hashOf } from '../domain/hash.ts';
import type { Scope } from '../domain/workspace.ts';
import type { Answered, Verbs } from '../verbs.ts';

/** Whom somebody who thinks freely talks with, and where: all that its tools reach. */
export interface Grant {
  workspaceId: string;
  patientId: string;
  /** The number that is talked with. */
  phone: string;
  /** The call or the conversation. */
  id: string;
  reason: string;
  goal: string | null;
  purpose: Purpose;
  serviceId: string | null;
}

/** How people are talked with. */
export type Medium = 'voice' | 'text';

/** How many times the tools may do something in one conversation. */
const mostActs = 5;

/** A tool that is a verb of the API. What it names of the workspace is filled in here, and never taken from who thinks. */
interface Tool {
  media: Medium[];
  description: string;
  /** What it may be given; anything else is refused. */
  given: z.ZodType;
  scope: Scope;
  source: string;
  variables(given: never, grant: Grant, idempotencyKey: string): Record<string, unknown>;
}

const result = '{ __typename ... on Error { code message } ... on InputError { fields { path message } } }';

const at = z.iso.datetime({ offset: true });

const tools: Record<string, Tool> = {
  schedule_callback: {
    media: ['voice', 'text'],
    description:
      'Schedules a call to this person, who asked for it. Do not promise the same call in report_call_outcome again.',
    given: z.strictObject({
      at: at.describe('ISO 8601 with offset, in the future.'),
      reason: z.string().optional().describe('What that call is about; left out: what this one is about.'),
    }),
    scope: 'tasks:write',
    source: `mutation ($input: ScheduleTaskInput!) { result: scheduleTask(input: $input) ${result} }`,
    variables: (given: { at: string; reason?: string }, grant, idempotencyKey) => ({
      input: {
        patientId: grant.patientId,
        phone: grant.phone,
        channel: 'VOICE',
        reason: given.reason ?? grant.reason,
        goal: grant.goal,
        purpose: grant.purpose,
        priority: 2,
        scheduledFor: given.at,
        serviceId: grant.serviceId,
        idempotencyKey,
      },
    }),
  },
  confirm_appointment: {
    media: ['voice', 'text'],
    description: 'Notes that the person confirms an appointment that is named in what is known of them.',
    given: z.strictObject({
      startsAt: at.describe('When it is, ISO 8601 with offset.'),
      with: z.string().min(1).max(100).optional(),
    }),
    scope: 'patients:write',
    source: `mutation ($input: RecordEventInput!) { result: recordEvent(input: $input) ${result} }`,
    variables: (given: object, { patientId }, idempotencyKey) => ({
      input: {
        patientId,
        type: 'appointment.confirmed',
        data: given,
        sourceSystem: 'agent',
        confidence: 0.7,
        idempotencyKey,
      },
    }),
  },
  opt_out: {
    media: ['voice'],
    description: 'The person wants no more calls or texts: in effect at once. Then report opted_out.',
    given: z.strictObject({}),
    scope: 'patients:write',
    source: `mutation ($patientId: ID!, $reason: String!) { result: revokeConsent(patientId: $patientId, reason: $reason) ${result} }`,
    variables: (_given: object, { patientId }) => ({ patientId, reason: 'said so in a call' }),
  },
};

/** The tool that ends a call; in a text nobody hangs up. */
export const reporting = 'report_call_outcome';

const report = {
  type: 'object',
  required: ['outcome', 'summary'],
  properties: {
    outcome: { type: 'string', enum: [...outcomes] },
    summary: { type: 'string', description: 'One or two sentences for the care team.' },
    promises: {
      type: 'array',
      description: 'Calls that the person was promised.',
      items: {
        type: 'object',
        required: ['at', 'reason'],
        properties: {
          at: { type: 'string', description: 'ISO 8601 with offset.' },
          reason: { type: 'string' },
          goal: { type: 'string' },
        },
      },
    },
    facts: { type: 'object', additionalProperties: { type: 'string' } },
    optOut: { type: 'boolean', description: 'The person wants no more calls.' },
  },
};

/** What a model is told of the tools that it may use there. */
export function toolsOf(medium: Medium) {
  const tool = (name: string, description: string, parameters: Record<string, unknown>) => ({
    type: 'function' as const,
    function: { name, description, parameters },
  });
  const own = Object.entries(tools)
    .filter(([, { media }]) => media.includes(medium))
    .map(([name, { description, given }]) => tool(name, description, z.toJSONSchema(given, { io: 'input' })));
  const ending = tool(reporting, 'Reports what came of this call and says goodbye.', report);
  return medium === 'voice' ? [ending, ...own] : own;
}

/** The hands of who thinks freely about one person, in one conversation. */
export interface Hands {
  medium: Medium;
  /** Uses a tool; answers in words what came of it, also where it is refused. Done twice it is done once. */
  act(name: string, given: string): Promise<string>;
  /** Whether a call has been scheduled for this instant, so that promising it would make another. */
  isScheduled(at: Date): boolean;
}

/** Hands that reach whom the grant names, and nobody else. */
export function openHands(
  { verbs, clock }: { verbs: Verbs; clock: Clock },
  medium: Medium,
  grant: Grant,
): Hands {
  let acts = 0;
  const scheduled = new Set<number>();
  async function act(name: string, text: string): Promise<string> {
    const tool = Object.hasOwn(tools, name) ? tools[name]! : null;
    if (!tool?.media.includes(medium))
      return `Refused: there is no tool ${JSON.stringify(name.slice(0, 64))}.`;
    const given = tool.given.safeParse(jsonIn(text));
    if (!given.success) return `Refused: ${z.prettifyError(given.error).slice(0, 500)}`;
    const { at } = given.data as { at?: string };
    // The API takes an instant that has been for now, and who talks is not to be called at once.
    if (at && Date.parse(at) <= clock.now().getTime()) return 'Refused: that time has been.';
    if ((acts += 1) > mostActs) return 'Refused: enough was done in this conversation.';
    const { workspaceId, id } = grant;
    const idempotencyKey = `agent ${id} ${hashOf([name, given.data]).slice(0, 32)}`;
    const variables = tool.variables(given.data as never, grant, idempotencyKey);
    const answered = await verbs({ source: tool.source, variables, workspaceId, scopes: [tool.scope] });
    if (at && answered.code === undefined) scheduled.add(Date.parse(at));
    return wordsOf(answered);
  }
  return { medium, act, isScheduled: (at) => scheduled.has(at.getTime()) };
}

function wordsOf({ code, message, fields = [] }: Answered): string {
  if (code === undefined) return 'Done.';
  const faults = fields.map(({ path, message: fault }) => `${path.at(-1) ?? ''}: ${fault}`);
  return `Refused: ${[message ?? code, ...faults].join(' ')}`;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    return null;
  }
}
