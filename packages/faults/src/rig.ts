import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startSystem, type AppName, type BunriSystem } from '@bunri/cli/system';
import { createRecordStore, type RecordStore } from '@bunri/runtime';
import {
  startModelApiSimulator,
  startRedis,
  startS3,
  startTcpProxy,
  type EmbeddedRedis,
  type EmbeddedS3,
  type ModelApiSimulator,
  type TcpProxy,
} from '@bunri/testkit';

export interface RigOptions {
  readonly seed: number;
  /** Path or name of a Redis server; without it one is looked for. */
  readonly redisBinary: string | undefined;
  /** `PATH` of the apps. */
  readonly path: string | undefined;
  /** Whether Redis writes an append-only file. */
  readonly appendOnly?: boolean;
  /** Of the simulator, in ms. */
  readonly latency?: { readonly vision: [number, number]; readonly answer: [number, number] };
  /** Settings of all apps. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine: (app: AppName, line: string) => void;
}

/** A whole system of its own, with a hand on every wire of it. */
export interface Rig {
  readonly system: BunriSystem;
  readonly simulator: ModelApiSimulator;
  /** Where clients go; like a load balancer it can be pointed at another process. */
  readonly api: { readonly url: string; readonly proxy: TcpProxy };
  readonly redis: {
    /** Beside the proxy. */
    readonly direct: Redis;
    readonly proxy: TcpProxy;
    readonly prefix: string;
    /** The directory of the append-only file. */
    readonly dir: string;
    kill(): Promise<void>;
    /** On the port and in the directory of the one that was killed. */
    startAgain(): Promise<void>;
  };
  readonly s3: { readonly server: EmbeddedS3; readonly proxy: TcpProxy };
  readonly records: RecordStore;
  /** Registers what a scenario has opened beside the rig. */
  readonly onStop: (release: () => Promise<unknown>) => void;
  /** Kills everything by its process id. */
  stop(): Promise<void>;
}

const bucket = 'bunri-faults';
const prefix = '{bunri-faults}';
const usualLatency = { vision: [300, 600], answer: [200, 400] } satisfies RigOptions['latency'];

/** Starts Redis, S3, the simulator and the six apps, each scenario's own. On failure nothing is left running. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const release of stops.splice(0).toReversed()) await release();
  };
  try {
    return await start(options, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(options: RigOptions, stops: (() => Promise<unknown>)[], stop: () => Promise<void>): Promise<Rig> {
  const redis = await openRedis(options, stops);
  const s3 = await openS3(stops);
  const { latency = usualLatency, seed } = options;
  const simulator = await startModelApiSimulator({ seed, latency });
  stops.push(async () => await simulator.stop());
  const system = await startSystem({
    env: {
      PATH: options.path,
      REDIS_URL: `redis://127.0.0.1:${redis.proxy.port}`,
      REDIS_PREFIX: prefix,
      S3_ENDPOINT: `http://127.0.0.1:${s3.proxy.port}`,
      S3_REGION: s3.server.region,
      S3_ACCESS_KEY_ID: s3.server.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.server.secretAccessKey,
      S3_BUCKET: bucket,
      OPENAI_API_KEY: 'sk-simulator',
      OPENAI_BASE_URL: simulator.baseUrl,
      RATE_LIMIT_PER_MINUTE: '100000000',
      ...options.env,
    },
    onLine: options.onLine,
  });
  stops.push(async () => await system.stop('SIGKILL'));
  const apiProxy = await startTcpProxy({ targetPort: portOf(system.apiUrl) });
  stops.push(async () => await apiProxy.stop());
  const records = createRecordStore({ redis: redis.direct, prefix });
  return {
    system,
    simulator,
    api: { url: `http://127.0.0.1:${apiProxy.port}`, proxy: apiProxy },
    redis,
    s3,
    records,
    onStop: (release) => void stops.push(release),
    stop,
  };
}

async function openRedis(
  { appendOnly = false, redisBinary: binary }: RigOptions,
  stops: (() => Promise<unknown>)[],
): Promise<Rig['redis']> {
  const dir = await mkdtemp(join(tmpdir(), 'bunri-faults-'));
  stops.push(async () => await rm(dir, { recursive: true, force: true }));
  let server: EmbeddedRedis = await startRedis({ binary, dir, appendOnly });
  stops.push(async () => await server.stop());
  const { port, url } = server;
  const proxy = await startTcpProxy({ targetPort: port });
  stops.push(async () => await proxy.stop());
  const direct = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 100, replyMapping: 'legacy' });
  // While the server is away its absence is the scenario, not news.
  direct.on('error', () => undefined);
  stops.push(async () => direct.disconnect());
  return {
    direct,
    proxy,
    prefix,
    dir,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
    async startAgain() {
      server = await startRedis({ binary, dir, appendOnly, port });
    },
  };
}

async function openS3(stops: (() => Promise<unknown>)[]): Promise<Rig['s3']> {
  const server = await startS3();
  stops.push(async () => await server.stop());
  server.createBucket(bucket);
  const proxy = await startTcpProxy({ targetPort: portOf(server.endpoint), delayMs: 400 });
  stops.push(async () => await proxy.stop());
  return { server, proxy };
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}
