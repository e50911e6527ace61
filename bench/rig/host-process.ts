/** A process of `openHost`: loads the module that its argument names, and answers calls of its functions. */
import type { Reply, Request } from './host.ts';

type Functions = Record<string, (...given: unknown[]) => unknown>;

const module = (await import(process.argv[2]!)) as Functions;

process.on('message', ({ id, name, given }: Request) => {
  const reply = (answer: Omit<Reply, 'id'>) => void process.send!({ id, ...answer });
  Promise.resolve()
    .then(() => module[name]!(...given))
    .then(
      (result) => reply({ result }),
      (error: unknown) =>
        reply({ fault: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
});
process.on('disconnect', () => process.exit(0));
