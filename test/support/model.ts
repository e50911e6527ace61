import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** One request to the model. */
export interface Thought {
  /** What stands after `MODEL:` in the goal of the call. */
  part: string;
  /** How often it was asked about this part before. */
  before: number;
  system: string;
  messages: { role: string; content: string }[];
  /** Names of the tools that it may use. */
  tools: string[];
  /** The request's header. */
  authorization: string | undefined;
  /** Whether whoever asked gave up before the end. */
  isAborted: boolean;
}

/** Streams an answer as OpenAI's chat endpoint does. */
export interface Pen {
  say(...tokens: string[]): void;
  call(name: string, given: unknown): void;
  raw(text: string): void;
  /** Ends the answer as it should be. */
  done(): void;
  response: ServerResponse;
}

/** A chat endpoint whose answers a test makes. */
export async function openModel(answer: (thought: Thought, pen: Pen) => void | Promise<void>) {
  const thoughts: Thought[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = (await json(request)) as {
        messages: { role: string; content: string }[];
        tools: { function: { name: string } }[];
      };
      const system = body.messages[0]!.content;
      const part = /MODEL:([\w-]+)/.exec(system)?.[1] ?? '';
      const before = thoughts.filter((thought) => thought.part === part).length;
      const { authorization } = request.headers;
      const messages = body.messages.slice(1);
      const tools = body.tools.map(({ function: { name } }) => name);
      const thought = { part, before, system, messages, tools, authorization, isAborted: false };
      thoughts.push(thought);
      response.on('close', () => (thought.isAborted = !response.writableFinished));
      await answer(thought, penOf(response));
    })().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    thoughts,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function penOf(response: ServerResponse): Pen {
  const chunk = (delta: object, finish: string | null = null) =>
    raw(
      `data: ${JSON.stringify({
        id: 'chatcmpl-1',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'test',
        choices: [{ index: 0, delta, finish_reason: finish }],
      })}\n\n`,
    );
  function raw(text: string): void {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(text);
  }
  return {
    response,
    raw,
    say: (...tokens) => {
      for (const content of tokens) chunk({ content });
    },
    call: (name, given) => {
      const text = typeof given === 'string' ? given : JSON.stringify(given);
      const middle = Math.floor(text.length / 2);
      const call = (part: object) => chunk({ tool_calls: [{ index: 0, ...part }] });
      call({ id: 'call_1', type: 'function', function: { name, arguments: '' } });
      call({ function: { arguments: text.slice(0, middle) } });
      call({ function: { arguments: text.slice(middle) } });
    },
    done: () => {
      chunk({}, 'stop');
      raw('data: [DONE]\n\n');
      response.end();
    },
  };
}
