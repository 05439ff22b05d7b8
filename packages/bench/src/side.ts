import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { stageOrder } from '@bunri/queue-contracts';
import { startRedis } from '@bunri/testkit';
import type { Answer, Ask } from './child.ts';
import type { BenchOptions } from './scenario.ts';
import { allStopped, stopAll } from './stops.ts';
import type { Connection, Variant } from './variant.ts';

/** One side of a comparison: four worker processes and one that submits. */
export interface Side {
  readonly variant: Variant;
  /** @throws what went wrong there, or that one of the five processes has ended. */
  submitter(ask: Ask): Promise<unknown>;
  readonly pids: readonly number[];
  /** Redis commands that the five processes have sent since their start. */
  commands(): Promise<number>;
  stop(): Promise<void>;
}

const stopTimeoutMs = 10_000;

/** Both sides on one Redis server of their own, for as long as `use` takes. */
export async function withSides<Result>(
  { redisBinary }: BenchOptions,
  use: (sides: { raw: Side; bunri: Side; redis: Redis; redisPid: number }) => Promise<Result>,
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
    return await use({ raw: await start('raw'), bunri: await start('bunri'), redis, redisPid: server.pid });
  } finally {
    await stopAll([
      async () => await server.stop(),
      () => redis.disconnect(),
      async () => await allStopped(started.map(async (side) => await side.stop())),
    ]);
  }
}

async function startSide(variant: Variant, url: string): Promise<Side> {
  const connection: Connection = { url, prefix: `{bench-${variant === 'raw' ? 'r' : 'b'}}` };
  const workers = stageOrder.map(() => start());
  const submitter = start();
  const all = [...workers, submitter];
  const { died, expectEnd } = watch(variant, all);
  const stopChildren = async () => {
    expectEnd();
    await allStopped(all.map(stop));
  };
  const ask = async (child: ChildProcess, question: Ask) => await Promise.race([query(child, question), died]);
  try {
    await Promise.all(
      stageOrder.map(async (stage, i) => await ask(at(workers, i), { ask: 'serve', variant, stage, connection })),
    );
    await ask(submitter, { ask: 'connect', variant, connection });
  } catch (error) {
    await stopChildren();
    throw error;
  }
  return {
    variant,
    submitter: async (question) => await ask(submitter, question),
    pids: all.map(({ pid = 0 }) => pid),
    commands: async () => {
      const each = await Promise.all(all.map(async (child) => (await ask(child, { ask: 'commands' })) as number));
      return each.reduce((total, commands) => total + commands, 0);
    },
    stop: stopChildren,
  };
}

/** Rejects as soon as a process ends by itself. */
function watch(variant: Variant, children: readonly ChildProcess[]): { died: Promise<never>; expectEnd: () => void } {
  const { promise: died, reject } = Promise.withResolvers<never>();
  // Who asks nothing at that moment hears it at the next question.
  died.catch(() => undefined);
  let expected = false;
  for (const child of children) {
    child.once('exit', (code, signal) => {
      if (!expected) reject(new Error(`a process of the ${variant} side ended (code ${code}, signal ${signal})`));
    });
  }
  return {
    died,
    expectEnd: () => {
      expected = true;
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
    child.once('message', (message) => {
      const answer = message as Answer;
      if (answer.ok) resolve(answer.value);
      else reject(new Error(answer.message));
    });
    child.send(ask, (error) => {
      if (error) reject(error);
    });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await exited;
  clearTimeout(killer);
}
