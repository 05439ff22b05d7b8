import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run, Scenario } from '../scenario.ts';

const everyCall = ['vision', 'answer'] as const;
const awayMs = 20_000;
const fullMs = 15_000;

async function killAndStart({ rig: { redis }, strikes, lifted }: Run, between: () => Promise<void>): Promise<void> {
  strikes();
  await redis.kill();
  await between();
  await redis.startAgain();
  lifted();
}

const restartAof: Scenario = {
  name: 'redis-restart-aof',
  says: 'kill -9 of Redis, which comes back at once with its append-only file',
  rig: { appendOnly: true },
  cutsOff: everyCall,
  fault: async (run) => await killAndStart(run, async () => undefined),
};

const restartEmpty: Scenario = {
  name: 'redis-restart-empty',
  says: 'kill -9 of Redis, which comes back without its data; what it knew ends with 410',
  rig: { appendOnly: true },
  mayForget: true,
  cutsOff: everyCall,
  fault: async (run) =>
    await killAndStart(run, async () => {
      await rm(join(run.rig.redis.dir, 'appendonlydir'), { recursive: true });
    }),
};

const unreachable: Scenario = {
  name: 'redis-unreachable',
  says: 'no byte passes between the apps and Redis for 20 s, while connections stay open',
  cutsOff: everyCall,
  async fault({ rig: { redis }, strikes, lifted, pause }) {
    strikes();
    await redis.proxy.setMode('blackhole');
    await pause(awayMs);
    await redis.proxy.setMode('pass');
    lifted();
  },
};

const refused: Scenario = {
  name: 'redis-refused',
  says: 'Redis refuses every connection for 20 s',
  cutsOff: everyCall,
  async fault({ rig: { redis }, strikes, lifted, pause }) {
    strikes();
    await redis.proxy.setMode('refuse');
    await pause(awayMs);
    await redis.proxy.setMode('pass');
    lifted();
  },
};

const outOfMemory: Scenario = {
  name: 'redis-out-of-memory',
  says: 'Redis has no room for another key for 15 s, and refuses to write, while retries are waiting',
  async fault({ rig: { redis, simulator }, strikes, lifted, pause, until, note }) {
    // Jobs that are put off are moved by scripts of the queue, which have to survive a refusal, too.
    simulator.setFaults([{ fault: 'server_error', kind: 'vision', times: 12 }]);
    const waiting = async () => await redis.direct.zcard(`${redis.prefix}:vision:delayed`);
    await until('retries are waiting', async () => (await waiting()) >= 2, 20_000);
    simulator.setFaults([]);
    const used = Number(/^used_memory:(\d+)/m.exec(await redis.direct.info('memory'))?.[1]);
    strikes();
    await redis.direct.config('SET', 'maxmemory', String(used));
    await pause(fullMs);
    const refusals = /^errorstat_OOM:count=(\d+)/m.exec(await redis.direct.info('errorstats'))?.[1] ?? '0';
    note(`${refusals} commands were refused for want of memory`);
    await redis.direct.config('SET', 'maxmemory', '0');
    lifted();
  },
};

export const redisFaults: readonly Scenario[] = [restartAof, restartEmpty, unreachable, refused, outOfMemory];
