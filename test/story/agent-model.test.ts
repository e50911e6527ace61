import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openModel, type Pen, type Thought } from '../support/model.ts';
import type { Story } from './agent-corpus.ts';
import { playAll, saidIn, secrets } from './agent-stage.ts';

const yes = 'Yes, speaking.';
const ask = ['Your ', 'mammogram ', 'is on Thursday. ', 'Will you come?'];
const report = (outcome: string, more: object = {}) => ({ outcome, summary: `It was ${outcome}.`, ...more });

/** What the model does for each story, by the name in its goal; once it has asked, it reports what is told here. */
const parts: Record<string, (pen: Pen, thought: Thought) => void | Promise<void>> = {
  confirms: (pen, { before }) => {
    if (before === 0) pen.say(...ask);
    else pen.call('report_call_outcome', report('confirmed'));
    pen.done();
  },
  'says-goodbye': (pen, { before }) => {
    pen.say(...(before === 0 ? ask : ['See you ', 'on Thursday.']));
    if (before > 0) pen.call('report_call_outcome', report('confirmed'));
    pen.done();
  },
  promises: (pen) => {
    const promises = [
      { at: '2026-03-04T10:00:00-05:00', reason: 'Talk about the results' },
      { at: '2026-03-01T10:00:00-05:00', reason: 'That is over' },
    ];
    pen.call('report_call_outcome', report('callback_requested', { promises }));
    pen.done();
  },
  learns: (pen) => {
    pen.call('report_call_outcome', report('confirmed', { facts: { preferredPharmacy: 'Main Street' } }));
    pen.done();
  },
  'opts-out': (pen) => {
    pen.call('report_call_outcome', report('opted_out', { optOut: true }));
    pen.done();
  },
  slow: async (pen) => {
    await pause(4_000, undefined, { ref: false });
    pen.say('Too late.');
    pen.done();
  },
  'slow-to-begin': async (pen) => {
    pen.raw(': thinking\n\n');
    await pause(4_000, undefined, { ref: false });
    pen.say('Too late.');
    pen.done();
  },
  down: ({ response }) => void response.writeHead(503).end('{}'),
  limited: ({ response }) => void response.writeHead(429).end('{}'),
  refused: ({ response }) =>
    void response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}'),
  cut: ({ response }) => void response.destroy(),
  'cut-in-the-middle': (pen, { before }) => {
    if (before > 0) return parts['confirms']!(pen, { before } as Thought);
    pen.say(...ask);
    setTimeout(() => pen.response.destroy(), 50).unref();
  },
  stalls: (pen, { before }) => {
    if (before > 0) return parts['confirms']!(pen, { before } as Thought);
    pen.say(...ask);
  },
  nonsense: (pen) => {
    pen.raw('data: {"choices": [ nonsense\n\n');
    pen.done();
  },
  'no-stream': ({ response }) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  empty: (pen) => pen.done(),
  markup: (pen, { before }) => {
    pen.say(...(before === 0 ? ['**Thursday** ', '<b>at</b> `ten`', '\n\n- fine?'] : ['Good.']));
    if (before > 0) pen.call('report_call_outcome', report('confirmed'));
    pen.done();
  },
  talkative: (pen, { before }) => {
    if (before > 0) return parts['confirms']!(pen, { before } as Thought);
    for (let count = 0; count < 500; count += 1) pen.say('and so on ');
    pen.done();
  },
  'takes-over': (pen) => {
    pen.call('report_call_outcome', report('confirmed', { facts: { phone: '+12125550199' } }));
    pen.done();
  },
  'odd-text': (pen) => {
    pen.say('Well \ud83d');
    pen.call('report_call_outcome', report('confirmed', { summary: 'It \0 was \ud83d fine.' }));
    pen.done();
  },
  schedules: (pen, { before, messages }) => {
    if (before === 0) pen.say(...ask);
    else if (before < 3)
      pen.call('schedule_callback', { at: '2026-03-04T10:00:00-05:00', reason: 'Results' });
    else {
      expect(toldIn(messages)).toEqual(['Done.', 'Done.']);
      const promises = [{ at: '2026-03-04T15:00:00Z', reason: 'Results' }];
      pen.call('report_call_outcome', report('callback_requested', { promises }));
    }
    pen.done();
  },
  'schedules-for-others': (pen, { before, messages }) => {
    const [at, patientId] = ['2026-03-04T10:00:00-05:00', '00000000-0000-7000-8000-000000000000'];
    if (before === 0) pen.call('schedule_callback', { at, patientId });
    else if (before === 1) pen.call('schedule_callback', { at, phone: '+12125550199' });
    else {
      expect(toldIn(messages)).toEqual([
        expect.stringMatching(/^Refused: .*patientId/s),
        expect.stringMatching(/^Refused: .*phone/s),
      ]);
      pen.call('report_call_outcome', report('confirmed'));
    }
    pen.done();
  },
  'schedules-wrongly': (pen, { before, messages }) => {
    if (before === 0) pen.call('schedule_callback', { at: '2026-03-01T10:00:00-05:00' });
    else if (before === 1)
      pen.call('schedule_callback', { at: '2026-03-04T10:00:00-05:00', reason: 'x'.repeat(300) });
    else {
      expect(toldIn(messages)).toEqual([
        'Refused: that time has been.',
        expect.stringMatching(/^Refused: .*reason: .*256/),
      ]);
      pen.call('report_call_outcome', report('confirmed'));
    }
    pen.done();
  },
  'notes-an-appointment': (pen, { before, messages }) => {
    if (before === 0)
      pen.call('confirm_appointment', { startsAt: '2026-03-05T09:00:00-05:00', with: 'Dr. Lee' });
    else {
      expect(toldIn(messages)).toEqual(['Done.']);
      pen.call('report_call_outcome', report('confirmed'));
    }
    pen.done();
  },
  revokes: (pen, { before, messages }) => {
    if (before === 0) pen.call('opt_out', {});
    else {
      expect(toldIn(messages)).toEqual(['Done.']);
      pen.call('report_call_outcome', report('opted_out'));
    }
    pen.done();
  },
  'tries-verbs': (pen, { before, messages }) => {
    if (before === 0) pen.call('place_call', { phoneTo: '+12125550100' });
    else if (before === 1) pen.call('constructor', {});
    else {
      expect(toldIn(messages)).toEqual([
        'Refused: there is no tool "place_call".',
        'Refused: there is no tool "constructor".',
      ]);
      pen.call('report_call_outcome', report('confirmed'));
    }
    pen.done();
  },
  'other-tool': (pen) => {
    pen.call('place_call', { phoneTo: '+12125550100' });
    pen.done();
  },
  'other-call': (pen) => {
    const callId = '00000000-0000-7000-8000-000000000000';
    pen.call('report_call_outcome', report('confirmed', { callId }));
    pen.done();
  },
  'bad-outcome': (pen) => {
    pen.call('report_call_outcome', report('sold'));
    pen.done();
  },
  'bad-arguments': (pen) => {
    pen.call('report_call_outcome', '{"outcome": "confirmed", "summary"');
    pen.done();
  },
  'too-much': (pen) => {
    pen.call('report_call_outcome', report('confirmed', { summary: 'x'.repeat(5_000) }));
    pen.done();
  },
};

/** What the model was told of its tools. */
const toldIn = (messages: Thought['messages']) =>
  messages.filter(({ role }) => role === 'tool').map(({ content }) => content);

const spoken = (name: string, model: string, more: Partial<Story> = {}): Story => ({
  name,
  model,
  does: [yes, 'Yes.', 'Thank you, goodbye.'],
  outcome: 'confirmed',
  verified: true,
  ...more,
});

const appointment = {
  type: 'appointment.confirmed',
  data: { startsAt: '2026-03-05T09:00:00-05:00', with: 'Dr. Lee' },
  source: 'agent',
  actor: 'agent',
  confidence: 0.7,
};

/** The scripted agent's own words about the matter: what is said where the model fails. */
const scripted = /I am calling about this: Come to the mammogram/;

const stories: Story[] = [
  spoken('streams words, then reports', 'confirms', {
    agentSays: /Your mammogram is on Thursday. Will you come\?/,
  }),
  spoken('says goodbye in its own words', 'says-goodbye', { agentSays: /See you on Thursday\.$/m }),
  spoken('promises a call', 'promises', { outcome: 'callback_requested', tasks: 1 }),
  spoken('learns something', 'learns'),
  spoken('reports an opt-out', 'opts-out', { outcome: 'opted_out' }),
  spoken('schedules a call, twice, and promises it', 'schedules', {
    outcome: 'callback_requested',
    tasks: 1,
  }),
  spoken('tries to schedule calls to others', 'schedules-for-others'),
  spoken('tries what the API refuses', 'schedules-wrongly'),
  spoken('notes an appointment', 'notes-an-appointment'),
  spoken('takes consent back', 'revokes', { outcome: 'opted_out' }),
  spoken('tries other verbs', 'tries-verbs'),
  ...['slow', 'slow-to-begin', 'down', 'limited', 'refused', 'cut', 'nonsense', 'no-stream', 'empty'].map(
    (model) => spoken(`is ${model}`, model, { agentSays: scripted }),
  ),
  spoken('is cut in the middle', 'cut-in-the-middle', { agentSays: /Will you come\?/ }),
  spoken('stalls', 'stalls', {
    agentSays: /Will you come\?/,
  }),
  spoken('writes markup', 'markup', { agentSays: /Thursday b?at/ }),
  spoken('does not stop', 'talkative', { agentSays: /and so on/ }),
  ...['other-tool', 'takes-over', 'bad-outcome', 'bad-arguments', 'too-much'].map((model) =>
    spoken(`tries what it may not: ${model}`, model, { agentSays: scripted }),
  ),
  spoken('reports another call', 'other-call'),
  spoken('writes what cannot be kept', 'odd-text'),
  spoken('is not asked about an opt-out', 'confirms-stop', {
    does: [yes, 'Stop calling me.'],
    outcome: 'opted_out',
  }),
  spoken('is not asked for a person', 'confirms-human', {
    does: [yes, 'Let me talk to a human.'],
    outcome: 'callback_requested',
  }),
  spoken('is not asked before the person is verified', 'unverified', {
    does: [yes, 'Yes.'],
    patient: { birthDate: null },
    verified: false,
  }),
  spoken('is not asked by a stranger', 'stranger', {
    does: ['Wrong number.'],
    outcome: 'wrong_person',
    verified: false,
  }),
];

test('whatever the model does, each call ends with the right outcome', { timeout: 240_000 }, async () => {
  const model = await openModel((thought, pen) => {
    const part = parts[thought.part.replace(/^confirms-.*/, 'confirms')];
    return part?.(pen, thought);
  });
  try {
    const environment = { AGENT_URL: model.url, AGENT_API_KEY: 'model-key', AGENT_MODEL: 'test' };
    const { calls, tasks } = await playAll(stories, environment);
    for (const [index, story] of stories.entries()) {
      const call = calls[index];
      const said = saidIn(call);
      const seen = { name: story.name, outcome: call.outcome, verified: call.insights.identityVerified };
      expect({ ...seen, said }).toMatchObject({
        name: story.name,
        outcome: story.outcome,
        verified: story.verified,
      });
      if (story.agentSays) expect(said.join('\n')).toMatch(story.agentSays);
      const promised = tasks.filter(
        (edge: { node: { patient: { id: string } } }) => edge.node.patient.id === call.patient.id,
      );
      expect([story.name, promised.length]).toEqual([story.name, story.tasks ?? 0]);
      for (const line of said) expect(line.length).toBeLessThan(1_100);
      const noted = call.patient.timeline.edges.map(({ node }: { node: object }) => node);
      expect([story.name, noted]).toEqual([
        story.name,
        story.model === 'notes-an-appointment' ? [appointment] : [],
      ]);
      const { blocks } = call.patient.canContact;
      expect([story.name, blocks.includes('DO_NOT_CONTACT')]).toEqual([
        story.name,
        story.outcome === 'opted_out',
      ]);
    }
    const asked = (part: string) => model.thoughts.filter((thought) => thought.part === part);
    expect(asked('unverified')).toEqual([]);
    expect(asked('stranger')).toEqual([]);
    // After the matter had been told, an opt-out and the wish for a person are ours to answer.
    expect(asked('confirms-stop')).toHaveLength(1);
    expect(asked('confirms-human')).toHaveLength(1);
    for (const thought of model.thoughts) {
      expect(thought.authorization).toBe('Bearer model-key');
      expect(thought.system).toMatch(secrets);
      // The birth date had been told by then.
      expect(thought.messages.some(({ role, content }) => role === 'user' && /1951/.test(content))).toBe(
        true,
      );
    }
    expect(asked('slow').every(({ isAborted }) => isAborted)).toBe(true);
  } finally {
    await model.close();
  }
});
