import type { Redis } from 'ioredis';

/** In BullMQ's scripts that give a job to a worker: lets one more idle worker look for a job. */
const wakeNext = 'addBaseMarkerIfNeeded(markerKey, false)';
/** The same, where there may be one. A delayed job is one, too: a worker that knows of it may be full when it is due. */
const wakeNextIfAny = `if rcall("LLEN", keyPrefix .. "wait") > 0 or rcall("ZCARD", keyPrefix .. "prioritized") > 0
    or rcall("ZCARD", keyPrefix .. "delayed") > 0 then ${wakeNext} end`;

interface Script {
  readonly lua: string;
  readonly numberOfKeys: number | null;
}

/**
 * BullMQ 6.7 wakes an idle worker of the queue for each job that is taken, though it was the last one. With several
 * processes a stage, that is a vain look into Redis for each job of each stage, which costs a process as much as any other
 * wait. A worker that is ready has registered its scripts on its connection; they are registered again without that.
 *
 * @returns how many scripts were changed: none, should BullMQ put it in other words, and then all is as it was.
 */
export function quietMarkers(redis: Redis): number {
  const { scriptsSet } = redis as unknown as { readonly scriptsSet: Readonly<Record<string, Script>> };
  const loud = Object.entries(scriptsSet).filter(([, { lua }]) => lua.includes(`  ${wakeNext}\n`));
  for (const [name, { lua, numberOfKeys }] of loud) {
    if (numberOfKeys === null) continue;
    redis.defineCommand(name, { numberOfKeys, lua: lua.replace(`  ${wakeNext}\n`, `  ${wakeNextIfAny}\n`) });
  }
  return loud.length;
}
