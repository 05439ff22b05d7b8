import type { FlowProducer } from 'bullmq';
import type { Redis } from 'ioredis';
import { asFunction } from './bull-scripts.ts';
import { flowScript } from './flow-script.ts';
import { priorities } from './record-script-parts.ts';
import { scripts } from './record-scripts.ts';

/** Keys and arguments are those of the script `accept`. */
export type AcceptAndAdd = (
  keys: readonly string[],
  args: readonly (string | number)[],
  flow: {
    readonly id: string;
    /** What each job carries, as JSON. */
    readonly data: string;
    /** When the jobs were made, in ms. */
    readonly now: number;
  },
) => Promise<{
  /** Reply of `accept`. */
  readonly record: string[];
  /** Why its flow was not added, if it was not. */
  readonly whyNot?: string;
}>;

/** Place of the class among the arguments of `accept`. */
const classArgument = 7;

/**
 * Registers a script that accepts a request and, if that was done, adds its flow: who submits waits for Redis once, and no
 * death comes between the two. Where the flow cannot be added, the request is accepted all the same, and the answer says so.
 *
 * @param producer must be ready
 * @throws should BullMQ add flows in another way: then each goes by itself.
 */
export async function registerAcceptScript(redis: Redis, producer: FlowProducer): Promise<AcceptAndAdd> {
  const adding = await flowScript(redis, producer);
  // The script has the prefix in it: the queues of another one on the same connection have their own.
  const name = `bunri_acceptAndAdd:${String(producer.opts.prefix)}`;
  // ARGV 1 id, 2 data, 3 now, then those of accept.
  redis.defineCommand(name, {
    lua: `${asFunction('accept', scripts.accept)}${adding}${priorities}
local args = {unpack(ARGV, 4)}
local done = accept(KEYS, args)
if done[1] ~= 'accepted' then return {done, 'not accepted'} end
local added, why = pcall(function()
  addFlow(ARGV[1], ARGV[2], priorityOf(args[${classArgument}], tonumber(done[3])), tonumber(ARGV[3]))
end)
return {done, added and '' or type(why) == 'table' and why.err or tostring(why)}`,
  });
  type Command = (...args: (string | number)[]) => Promise<readonly [record: string[], whyNot: string]>;
  const command = (redis as unknown as Record<string, Command>)[name]?.bind(redis);
  if (!command) throw new Error(`script ${name} is not registered`);
  return async (keys, args, { id, data, now }) => {
    const [record, whyNot] = await command(keys.length, ...keys, id, data, now, ...args);
    return { record, ...(whyNot === '' ? {} : { whyNot }) };
  };
}
