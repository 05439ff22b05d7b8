import type { Operator } from '@bunri/runtime';
import { audited, nobodyThere } from '../acting.ts';
import { parse } from '../args.ts';
import { UsageError, type Command, type CommandIo } from '../command.ts';
import { asJson } from '../table.ts';
import { closeQueues, lookAt, openQueues } from './look.ts';

const batchSize = 1_000;

/** Removes what is under the prefix and nothing else, in small steps: other installations may live in the same Redis. */
export const clearPrefix: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    json: { type: 'boolean', default: false },
    confirm: { type: 'string' },
  });
  if (positionals.length > 0) throw new UsageError('queues clear takes only options');
  for (const name of ['NODE_ENV', 'BUNRI_ENV']) {
    if (io.env[name] === 'production') throw new Error(`${name} is production: nothing is cleared there`);
  }
  if (values.confirm === undefined && !io.ask) throw nobodyThere('--confirm <prefix>');
  const operator = await open();
  const { prefix } = operator;
  await refuseWhereSomebodyRuns(operator);
  const typed = values.confirm ?? (await askFor(prefix, operator, io));
  if (typed !== prefix) {
    io.err(`bunri: that is not ${prefix}; nothing was cleared`);
    return 1;
  }
  const removed = await audited(operator, io, { action: 'queues.clear', target: prefix, announced: true }, async () => {
    const count = await removeAll(operator, io.signal);
    return { result: count, facts: { keys: count } };
  });
  if (values.json) io.out(asJson({ prefix, removed, finished: !io.signal.aborted }));
  else io.out(`${removed} keys under ${prefix} were removed; uploads and images in the bucket stay.`);
  return io.signal.aborted ? 1 : 0;
};

async function askFor(prefix: string, operator: Operator, io: CommandIo): Promise<string> {
  const { apiKeys, redis, records } = operator;
  const open = await redis.zcard(records.keys.deadlines);
  const keys = (await apiKeys.list()).length;
  io.err(`This deletes every request, result, statistic, API key and audit line under ${prefix} at ${hostOf(io)}.`);
  io.err(`${open} requests are open, and ${keys} API keys are kept there.`);
  return (await io.ask?.(`Type the prefix to go on:`)) ?? '';
}

function hostOf({ env }: CommandIo): string {
  return new URL(env['REDIS_URL'] ?? '').host;
}

/** Whoever runs would write on, and to half of a state. */
async function refuseWhereSomebodyRuns(operator: Operator): Promise<void> {
  const { redis, records, apiKeys } = operator;
  const queues = await openQueues(operator);
  try {
    const looks = await Promise.all(queues.map(async (queue) => await lookAt(operator, queue)));
    const busy = looks.filter(({ workers }) => workers > 0).map(({ queue }) => queue);
    if (busy.length > 0) throw new Error(`workers of ${busy.join(', ')} run; stop them first`);
  } finally {
    await closeQueues(queues);
  }
  // A worker listens here before it announces itself.
  const [, listening = 0] = await redis.pubsub('NUMSUB', records.keys.control);
  if (Number(listening) > 0) throw new Error(`${Number(listening)} workers listen; stop them first`);
  if ((await apiKeys.listeners()) > 0) throw new Error('an api runs; stop it first');
}

async function removeAll({ redis, prefix }: Operator, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: batchSize }) as AsyncIterable<string[]>) {
    if (keys.length > 0) removed += await redis.unlink(...keys);
    if (signal.aborted) return removed;
  }
  return removed;
}
