import { execFile, fork, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { appNames, startSystem, type AppName } from '@bunri/cli/system';
import { freePort, startProcess, startRedis, type CallLogEntry } from '@bunri/testkit';
import { startBucket } from './bench-bucket.ts';
import { readPods } from './pods.ts';
import type { BenchOptions } from './scenario.ts';
import { modelMs } from './slot-limit.ts';
import type { LoadAnswer, LoadOrder } from './slots-load.ts';
import type { Outcome } from './slots-user.ts';
import { stopAll } from './stops.ts';

export interface PodProcess {
  readonly app: AppName;
  readonly pid: number;
  /** Of its probes. */
  readonly origin: string;
}

/** The two-node placement on this machine, everything in a process of its own. */
export interface SlotsRig {
  readonly pods: readonly PodProcess[];
  /** What stands beside bunri's own processes, by process id. */
  readonly beside: ReadonlyMap<'Redis' | 'S3' | 'simulator' | 'clients', number>;
  readonly redis: Redis;
  /** Lets the users in, spread over this time. */
  startUsers(count: number, rampMs: number): Promise<void>;
  /** Lets no user begin anything new, and gives what became of all requests once none is in flight. */
  stopUsers(): Promise<readonly Outcome[]>;
  modelCalls(): Promise<readonly CallLogEntry[]>;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const prefix = '{bunri-slots}';
/** As many keys as a service with some clients has; a user shares one with nine others. */
const keyCount = 100;

/** Builds the bundles of all apps into `out/`. */
export async function buildBundles(path: string | undefined): Promise<void> {
  await promisify(execFile)(process.execPath, ['docker/build.mjs'], { cwd: root, env: { PATH: path } });
}

export interface SlotsRigOptions extends Pick<BenchOptions, 'redisBinary' | 'path'> {
  /** A directory for CPU profiles of all pods, written when they end; without it none are made. */
  readonly profileDir?: string | undefined;
}

/** Starts everything, for as long as `use` takes. */
export async function withSlotsRig<Result>(
  options: SlotsRigOptions,
  use: (rig: SlotsRig) => Promise<Result>,
): Promise<Result> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    return await use(await startRig(options, stops));
  } finally {
    await stopAll(stops);
  }
}

async function startRig(
  { redisBinary: binary, path, profileDir }: SlotsRigOptions,
  stops: (() => Promise<unknown>)[],
): Promise<SlotsRig> {
  const server = await startRedis({ binary, appendOnly: true });
  stops.push(async () => await server.stop());
  const bucket = await startBucket();
  stops.push(async () => await bucket.stop());
  const simulator = await startSimulator();
  stops.push(async () => await simulator.stop('SIGKILL'));
  const keys = Array.from({ length: keyCount }, (_, i) => newKey(`client-${i}`));
  const pods = await startPods(
    {
      PATH: path,
      REDIS_URL: server.url,
      REDIS_PREFIX: prefix,
      ...bucket.env,
      OPENAI_API_KEY: 'sk-simulator',
      OPENAI_BASE_URL: `${simulator.url}/v1`,
      API_KEYS: JSON.stringify(keys.map(({ entry }) => entry)),
    },
    profileDir,
    stops,
  );
  const load = fork(new URL('slots-load.ts', import.meta.url));
  stops.push(async () => await endChild(load));
  const redis = new Redis(server.url);
  stops.push(async () => await Promise.resolve(redis.disconnect()));
  const apiUrl = pods.find(({ app }) => app === 'api')?.origin ?? '';
  return {
    pods,
    beside: new Map([
      ['Redis', server.pid],
      ['S3', bucket.server.pid],
      ['simulator', simulator.pid],
      ['clients', load.pid ?? 0],
    ]),
    redis,
    async startUsers(users, rampMs) {
      const given = keys.map(({ presented }) => presented);
      await command(load, { order: 'start', apiUrl, keys: given, users, rampMs });
    },
    async stopUsers() {
      const answer = await command(load, { order: 'stop' });
      return 'outcomes' in answer ? answer.outcomes : [];
    },
    async modelCalls() {
      const response = await fetch(`${simulator.url}/simulator/calls`);
      return (await response.json()) as CallLogEntry[];
    },
  };
}

async function startSimulator() {
  const range = ({ from, to }: { from: number; to: number }) => `${from}-${to}`;
  const port = await freePort();
  const file = fileURLToPath(new URL('../../testkit/src/simulator-main.ts', import.meta.url));
  const { url = '', ...simulator } = await startProcess({
    name: 'the simulator',
    args: [file, '--port', String(port), '--vision-ms', range(modelMs.vision), '--answer-ms', range(modelMs.llm)],
    env: {},
    readyUrl: `http://127.0.0.1:${port}/healthz`,
  });
  return { ...simulator, url };
}

/** One api, one scheduler, and the workers that the chart has. */
async function startPods(
  env: Readonly<Record<string, string | undefined>>,
  profileDir: string | undefined,
  stops: (() => Promise<unknown>)[],
): Promise<PodProcess[]> {
  const chart = await readPods();
  const system = await startSystem({
    env,
    bundled: true,
    launch: (app) => ({
      env: chart.get(app)?.env ?? {},
      nodeArgs: profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}/${app}`],
    }),
  });
  // A profile is written by a process that ends by itself; without one nothing is worth the wait.
  stops.push(async () => await system.stop(profileDir === undefined ? 'SIGKILL' : 'SIGTERM'));
  const pods: PodProcess[] = [];
  for (const app of appNames) {
    pods.push({ app, pid: system.apps.get(app)?.pid ?? 0, origin: system.probes.get(app) ?? '' });
    const replicas = app.endsWith('-worker') ? (chart.get(app)?.replicas ?? 1) : 1;
    const more = await Promise.all(Array.from({ length: replicas - 1 }, async () => await system.addReplica(app)));
    pods.push(...more.map(({ pid, url = '' }) => ({ app, pid, origin: url })));
  }
  return pods;
}

function newKey(id: string) {
  const secret = randomBytes(16).toString('hex');
  const sha256 = createHash('sha256').update(secret).digest('hex');
  return { presented: `${id}.${secret}`, entry: { id, sha256, owner: id, scopes: ['submit', 'read'] } };
}

/** @throws what went wrong there, or that the process has ended. */
async function command(child: ChildProcess, order: LoadOrder): Promise<LoadAnswer> {
  const answered = once(child, 'message').then(([answer]) => answer as LoadAnswer);
  const ended = once(child, 'exit').then((): never => {
    throw new Error('the process of the users has ended');
  });
  // Who loses the race is not waited for.
  ended.catch(() => undefined);
  child.send(order);
  const answer = await Promise.race([answered, ended]);
  if ('problem' in answer) throw new Error(answer.problem);
  return answer;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
