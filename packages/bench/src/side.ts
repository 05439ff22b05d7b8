import { fork, type ChildProcess } from 'node:child_process';
import { Redis } from 'ioredis';
import { stageOrder } from '@bunri/queue-contracts';
import { startRedis } from '@bunri/testkit';
import type { Answer, Ask, ProcessCounters } from './child.ts';
import type { BenchOptions } from './scenario.ts';
import type { Connection, Variant } from './variant.ts';

/** One side of a comparison: four worker processes and one that submits. */
export interface Side {
  readonly variant: Variant;
  submitter(ask: Ask): Promise<unknown>;
  /** Of the five processes together. */
  counters(): Promise<ProcessCounters>;
  stop(): Promise<void>;
}

/** Both sides on one Redis server of their own, for as long as `use` takes. */
export async function withSides<Result>(
  { redisBinary }: BenchOptions,
  use: (sides: { raw: Side; bunri: Side; redis: Redis }) => Promise<Result>,
): Promise<Result> {
  const server = await startRedis({ binary: redisBinary });
  const redis = new Redis(server.url);
  const started: Side[] = [];
  try {
    const start = async (variant: Variant) => {
      const side = await startSide(variant, server.url);
      started.push(side);
      return side;
    };
    return await use({ raw: await start('raw'), bunri: await start('bunri'), redis });
  } finally {
    await Promise.all(started.map(async (side) => await side.stop()));
    redis.disconnect();
    await server.stop();
  }
}

async function startSide(variant: Variant, url: string): Promise<Side> {
  const connection: Connection = { url, prefix: `{bench-${variant === 'raw' ? 'r' : 'b'}}` };
  const workers = stageOrder.map(() => start());
  const submitter = start();
  await Promise.all(
    stageOrder.map(async (stage, i) => await query(at(workers, i), { ask: 'serve', variant, stage, connection })),
  );
  await query(submitter, { ask: 'connect', variant, connection });
  const all = [...workers, submitter];
  return {
    variant,
    submitter: async (ask) => await query(submitter, ask),
    counters: async () => {
      const each = await Promise.all(
        all.map(async (child) => (await query(child, { ask: 'counters' })) as ProcessCounters),
      );
      const sum = (name: keyof ProcessCounters) => each.reduce((total, counters) => total + counters[name], 0);
      return { cpuSeconds: sum('cpuSeconds'), commands: sum('commands') };
    },
    stop: async () => {
      await Promise.all(all.map(stop));
    },
  };
}

function at(children: ChildProcess[], index: number): ChildProcess {
  const child = children[index];
  if (!child) throw new Error('no such process');
  return child;
}

function start(): ChildProcess {
  // Log lines are written, as they are in production, but not shown.
  return fork(new URL('child.ts', import.meta.url), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function query(child: ChildProcess, ask: Ask): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a bench process ended with code ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      const answer = message as Answer;
      if (answer.ok) resolve(answer.value);
      else reject(new Error(answer.message));
    });
    child.send(ask);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    child.disconnect();
  });
}
