import { setTimeout as delay } from 'node:timers/promises';
import type { Operator } from '@bunri/runtime';
import { parse, toDuration } from '../args.ts';
import { exitCodes, UsageError, type Command, type CommandIo } from '../command.ts';
import { age, asJson, table } from '../table.ts';
import { closeQueues, lookAt, openQueues, waitingIn, type KnownQueue, type QueueLook } from './look.ts';

const flag = { type: 'boolean', default: false } as const;

interface Status {
  readonly at: string;
  readonly open_requests: number;
  readonly dead_letters: number;
  readonly queues: readonly QueueLook[];
  /** What somebody should look after. */
  readonly troubles: readonly string[];
}

export const showStatus: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    watch: flag,
    check: flag,
    json: flag,
    interval: { type: 'string', default: '2s' },
  });
  if (positionals.length > 0)
    throw new UsageError('queues status takes only options; queues describe <queue> shows one');
  if (values.watch && values.check) throw new UsageError('--check looks once; leave out --watch');
  const intervalMs = toDuration('--interval', values.interval);
  if (intervalMs < 1_000) throw new UsageError('--interval takes at least 1s');
  const operator = await open();
  const queues = await openQueues(operator);
  try {
    if (values.watch) return await watch({ operator, queues, io, intervalMs, json: values.json });
    const status = await read(operator, queues);
    for (const line of values.json ? [asJson(status)] : describe(status)) io.out(line);
    return values.check && status.troubles.length > 0 ? exitCodes.notDone : exitCodes.done;
  } finally {
    await closeQueues(queues);
  }
};

async function read(operator: Operator, queues: readonly KnownQueue[]): Promise<Status> {
  const { redis, records, now } = operator;
  const [open, dead, looks] = await Promise.all([
    redis.zcard(records.keys.deadlines),
    redis.zcard(records.keys.dead),
    Promise.all(queues.map(async (queue) => await lookAt(operator, queue))),
  ]);
  const at = new Date(now()).toISOString();
  return { at, open_requests: open, dead_letters: dead, queues: looks, troubles: looks.flatMap(troubleOf) };
}

function troubleOf(look: QueueLook): string[] {
  if (look.state === 'paused') return [`${look.queue} is paused; queues resume ${look.queue} lets it go on`];
  const work = waitingIn(look) + look.active + look.delayed;
  // A prefix that has never been used has no workers either, and nothing waits for them.
  return look.state === 'no workers' && work > 0 ? [`${look.queue} has ${work} jobs and no workers`] : [];
}

const head = ['QUEUE', 'STATE', 'INTERACTIVE', 'BATCH', 'ACTIVE', 'DELAYED', 'CHILDREN', 'FAILED', 'OLDEST'].concat(
  'WORKERS',
  'DONE/MIN',
  'FAILED/MIN',
);

function describe({ queues, open_requests: open, dead_letters: dead, troubles }: Status): string[] {
  const rows = queues.map((look) => [
    look.queue,
    look.state === 'held' ? `held ${look.held_seconds}s` : look.state,
    // The scheduler's queues have no classes.
    String(look.waiting.interactive + look.waiting.unclassed),
    String(look.waiting.batch),
    String(look.active),
    String(look.delayed),
    String(look.waiting_children),
    String(look.failed),
    waitingIn(look) === 0 ? '-' : age(look.oldest_seconds),
    look.slots === null ? String(look.workers) : `${look.workers} (${look.slots} slots)`,
    String(look.per_minute.completed),
    String(look.per_minute.failed),
  ]);
  return [
    ...table(head, rows),
    '',
    `${open} open requests, ${dead} dead letters.`,
    ...troubles.map((trouble) => `! ${trouble}`),
  ];
}

interface Watch {
  readonly operator: Operator;
  readonly queues: readonly KnownQueue[];
  readonly io: CommandIo;
  readonly intervalMs: number;
  readonly json: boolean;
}

/** A table that is drawn over itself; where there is no terminal, one after the other. Ctrl-C is its usual end. */
async function watch({ operator, queues, io, intervalMs, json }: Watch): Promise<number> {
  const draw = json ? undefined : io.draw;
  draw?.(screen.open);
  try {
    while (!io.signal.aborted) {
      const lines = await frame(operator, queues, json);
      if (draw) draw(screen.frame(lines));
      else for (const line of lines) io.out(line);
      await delay(intervalMs, undefined, { signal: io.signal }).catch(() => undefined);
    }
  } finally {
    draw?.(screen.close);
  }
  return exitCodes.done;
}

/** A Redis that is away for a while is what somebody watches for. */
async function frame(operator: Operator, queues: readonly KnownQueue[], json: boolean): Promise<string[]> {
  try {
    const status = await read(operator, queues);
    return json ? [JSON.stringify(status)] : [status.at, ...describe(status)];
  } catch (error) {
    const at = new Date(operator.now()).toISOString();
    const message = error instanceof Error ? error.message : String(error);
    return [json ? JSON.stringify({ at, error: message }) : `${at} Redis does not answer: ${message}`];
  }
}

/** Control sequences of ECMA-48 and DEC: the cursor is hidden, and long lines are cut instead of wrapped. */
const screen = {
  open: '\u001B[2J\u001B[?25l\u001B[?7l',
  frame: (lines: readonly string[]) => `\u001B[H${lines.map((line) => `${line}\u001B[K\n`).join('')}\u001B[J`,
  close: '\u001B[?7h\u001B[?25h',
};
