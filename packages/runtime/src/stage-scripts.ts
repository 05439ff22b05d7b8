import { jobDataVersion } from '@bunri/queue-contracts';
import type { Redis } from 'ioredis';
import { asFunction, bullScripts } from './bull-scripts.ts';
import { scripts } from './record-scripts.ts';

type Argument = string | number | Buffer;

/** How the stage of a job that is taken begins: what the script `start` gets, but for the generation, which the job tells. */
export interface Beginning {
  /** What the keys of records begin with. */
  readonly records: string;
  readonly args: readonly (string | number)[];
}

/** What became of a job that was looked for. */
interface Taken {
  /** Reply of BullMQ's script. */
  readonly job: unknown;
  /** Reply of `start`, or null where there was no job, or not one whose stage can begin here. */
  readonly begun: string[] | null;
}

/** What became of a stage and its job. */
interface Finished {
  /** Reply of `finish`. */
  readonly record: string[];
  /** The next job, too. Null where the stage was not finished, so that its job was not moved. */
  readonly next: Taken | null;
}

/** BullMQ's commands with their arguments, keys first, and ours in the same step. */
export interface StageScripts {
  take(theirs: readonly Argument[], beginning: Beginning): Promise<Taken>;
  finish(
    theirs: readonly Argument[],
    finish: { readonly keys: readonly string[]; readonly args: readonly (string | number)[] },
    /** Null where no other job is to be taken, whatever BullMQ's command says. */
    beginning: Beginning | null,
  ): Promise<Finished>;
}

/** Place of the argument that says whether the next job is to be taken, among those of BullMQ's that complete one. */
const fetchNext = 5;

/**
 * Of a job that was taken the stage begins, unless two stages look at its photo, or it is of another release: then its
 * worker begins it, who knows what is to be waited for. The same where it cannot be written. A job that BullMQ fails unrun,
 * for a child of it has failed (`defa`), does not begin.
 */
const begin = `${asFunction('start', scripts.start)}
local function begin(taken, records, args)
  local fields, data = type(taken) == 'table' and taken[1], ''
  if type(fields) ~= 'table' then return nil end
  for i = 1, #fields, 2 do
    if fields[i] == 'defa' then return nil end
    if fields[i] == 'data' then data = fields[i + 1] end
  end
  local read, job = pcall(cjson.decode, data)
  if not read or type(job) ~= 'table' or job.looks then return nil end
  if type(job.v) ~= 'number' or job.v > ${jobDataVersion} or type(job.requestId) ~= 'string' then return nil end
  local begun, reply = pcall(start, {records .. job.requestId},
    {args[1], args[2], args[3], tostring(job.generation or 0), unpack(args, 4)})
  return begun and reply or nil
end`;

/**
 * Registers on a worker's connection scripts of two each: one takes a job, as BullMQ's does, and begins its stage in the
 * record; the other finishes a stage and, if that was done, completes its job, takes the next and begins that. A stage
 * waits for Redis no more often than a bare job, and no death comes between the two. The connection must have BullMQ's
 * scripts already.
 *
 * @returns null, should BullMQ do it in another way: then each goes by itself.
 */
export function registerStageScripts(redis: Redis): StageScripts | null {
  const find = bullScripts(redis);
  const [active, finished] = [find('moveToActive'), find('moveToFinished')];
  if (!active?.numberOfKeys || !finished?.numberOfKeys) return null;
  const [keysOfTake, keysOfMove] = [active.numberOfKeys, finished.numberOfKeys];

  // ARGV 1 how many arguments the beginning has, then those, then BullMQ's.
  redis.defineCommand('bunri_take', {
    lua: `${begin}${asFunction('take', active.lua)}
local rest = ARGV[1] + 2
local taken = take(KEYS, {unpack(ARGV, rest)})
return {{taken}, begin(taken, ARGV[2], {unpack(ARGV, 3, rest - 1)})}`,
  });
  // KEYS BullMQ's, then the record. ARGV 1 how many arguments finish has, 2 how many the beginning, then those, then BullMQ's.
  redis.defineCommand('bunri_finishAndMove', {
    lua: `${begin}${asFunction('finish', scripts.finish)}${asFunction('move', finished.lua)}
local second = ARGV[1] + 3
local rest = second + ARGV[2]
local done = finish({unpack(KEYS, ${keysOfMove + 1})}, {unpack(ARGV, 3, second - 1)})
if done[1] ~= 'finished' then return {done} end
local taken = move({unpack(KEYS, 1, ${keysOfMove})}, {unpack(ARGV, rest)})
return {done, {taken}, begin(taken, ARGV[second], {unpack(ARGV, second + 1, rest - 1)})}`,
  });

  type Command<Reply> = (...args: Argument[]) => Promise<Reply>;
  const commands = redis as unknown as {
    bunri_take: Command<readonly [job: readonly [unknown], begun?: string[] | null]>;
    bunri_finishAndMove: Command<readonly [record: string[], job?: readonly [unknown], begun?: string[] | null]>;
  };
  return {
    async take(theirs, { records, args }) {
      const [[job], begun = null] = await commands.bunri_take(
        keysOfTake,
        ...theirs.slice(0, keysOfTake),
        args.length + 1,
        records,
        ...args,
        ...theirs.slice(keysOfTake),
      );
      return { job, begun };
    },
    async finish(theirs, { keys, args }, beginning) {
      const begin = beginning ? [beginning.records, ...beginning.args] : [];
      const move = theirs.slice(keysOfMove);
      if (!beginning) move[fetchNext] = 0;
      const [record, job, begun = null] = await commands.bunri_finishAndMove(
        keysOfMove + keys.length,
        ...theirs.slice(0, keysOfMove),
        ...keys,
        args.length,
        begin.length,
        ...args,
        ...begin,
        ...move,
      );
      return { record, next: job === undefined ? null : { job: job[0], begun } };
    },
  };
}
