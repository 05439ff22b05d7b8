import type { Operator } from '@bunri/runtime';
import { UsageError } from '../command.ts';
import { unknownCommand } from '../program.ts';
import { closeQueues, openQueues, type KnownQueue } from './look.ts';

/** Runs something with the one queue that is named. @throws UsageError */
export async function withQueue<Result>(
  operator: Operator,
  positionals: readonly string[],
  act: (known: KnownQueue, all: readonly KnownQueue[]) => Promise<Result>,
): Promise<Result> {
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0)
    throw new UsageError('give the name of one queue; queues status lists them');
  const queues = await openQueues(operator);
  try {
    const known = queues.find(({ queue }) => queue.name === name);
    if (!known) throw unknownQueue(name, queues);
    return await act(known, queues);
  } finally {
    await closeQueues(queues);
  }
}

function unknownQueue(name: string, queues: readonly KnownQueue[]): UsageError {
  const { message } = unknownCommand(
    '',
    name,
    queues.map(({ queue }) => queue.name),
  );
  return new UsageError(message.replace('no command', 'no queue'));
}
