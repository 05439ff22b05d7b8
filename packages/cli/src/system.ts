import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createStorage } from '@bunri/runtime';
import {
  freePort,
  patienceMs,
  startModelApiSimulator,
  startProcess,
  startRedis,
  startS3,
  type ModelApiSimulator,
  type RunningProcess,
} from '@bunri/testkit';

export const appNames = ['api', 'preprocess-worker', 'vision-worker', 'rag-worker', 'llm-worker', 'scheduler'] as const;
export type AppName = (typeof appNames)[number];

type Environment = Readonly<Record<string, string | undefined>>;

export interface SystemOptions {
  /** Where given servers, keys and settings come from; what is absent is embedded. */
  readonly env: Environment;
  /**
   * What answers where no key of a model API is given: the simulator, or what ships with bunri, which is the local vision
   * model and guidance from the rules alone. Default `simulator`.
   */
  readonly withoutKey?: 'simulator' | 'built-in';
  /** Starts a worker of `vision.local` too, for requests that name the local model. Default false. */
  readonly local?: boolean;
  /** Keeps the data of embedded servers; without it they keep nothing. */
  readonly dataDir?: string;
  /** Latency of the model API simulator in ms, from and to. */
  readonly latency?: { vision: [number, number]; answer: [number, number] };
  /** Of the simulator's random decisions. Default 1. */
  readonly seed?: number;
  /** Runs the bundles of `out/`, as production does, in place of the sources. Default false. */
  readonly bundled?: boolean;
  /** What every process of an app gets beside what all get. */
  readonly launch?: (app: AppName) => LaunchOptions;
  readonly onLine?: (app: AppName, line: string) => void;
}

/** What one process gets beside what all get. */
export interface LaunchOptions {
  /** Options of Node itself. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Environment;
}

/** What makes a vision worker serve the queue of the local model. */
const localLook: LaunchOptions = {
  env: {
    VISION_QUEUE: 'vision.local',
    VISION_MODEL: 'local',
    VISION_FALLBACKS: undefined,
    VISION_MODELS: undefined,
    CONCURRENCY: undefined,
  },
};

export interface BunriSystem {
  readonly apiUrl: string;
  readonly redis: { url: string; prefix: string; embedded: boolean };
  readonly s3: { endpoint: string; bucket: string; embedded: boolean };
  /** Undefined where no simulator is used. */
  readonly simulator: ModelApiSimulator | undefined;
  /** Undefined where no model API is used. */
  readonly modelApiUrl: string | undefined;
  /** One process an app, by its name; a replaced one stands here after `restart`. */
  readonly apps: Map<AppName, RunningProcess>;
  /** The worker of `vision.local`, where one was asked for. */
  readonly localWorker: RunningProcess | undefined;
  /** Probe origin of each app. */
  readonly probes: Map<AppName, string>;
  /** Starts an app again with the same settings, as an orchestrator would after its end. */
  restart(app: AppName, launch?: LaunchOptions): Promise<RunningProcess>;
  /** Starts one more process of an app. It is stopped with the system. */
  addReplica(app: AppName, launch?: LaunchOptions): Promise<RunningProcess>;
  /** Stops everything that was started, the apps by the given signal. Default SIGTERM, which lets them end their work. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

type Release = (signal: NodeJS.Signals) => Promise<unknown>;

const root = new URL('../../../', import.meta.url);

/**
 * Starts the whole of bunri on this machine: Redis, an S3 server and the model API simulator where none are given, and the
 * six apps as six processes. On failure, everything that was started is stopped before the error is thrown.
 */
export async function startSystem(options: SystemOptions): Promise<BunriSystem> {
  const stops: Release[] = [];
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    for (const release of stops.splice(0).toReversed()) await release(signal);
  };
  try {
    return await start(options, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  {
    env,
    dataDir,
    latency,
    seed,
    withoutKey,
    local = false,
    bundled = false,
    launch: launchOf = () => ({}),
    onLine,
  }: SystemOptions,
  stops: Release[],
  stop: BunriSystem['stop'],
): Promise<BunriSystem> {
  const model = await openModels(env, { latency, seed, withoutKey }, stops);
  // Simulated answers are kept apart: a cache must never give one where a real model was asked.
  const prefix = env['REDIS_PREFIX'] ?? (model.simulator ? '{bunri-demo-simulated}' : '{bunri-demo}');
  const redis = await openRedis(env, prefix, dataDir, stops);
  const s3 = await openS3(env, dataDir, stops);
  const apiPort = await freePort();
  const settings: Environment = {
    ...env,
    ...redis.settings,
    ...s3.settings,
    ...model.settings,
    LOG_LEVEL: env['LOG_LEVEL'] ?? 'info',
    NODE_OPTIONS: undefined,
  };

  const launch = async (app: AppName, port: number, more: LaunchOptions = {}): Promise<RunningProcess> => {
    const usual = launchOf(app);
    const nodeArgs = [...(usual.nodeArgs ?? []), ...(more.nodeArgs ?? [])];
    const own = app === 'api' ? { HOST: '127.0.0.1', ...(env['API_KEYS'] ? {} : { DEMO: 'true' }) } : {};
    const running = await startProcess({
      name: app,
      args: [bundled ? `out/${app}/main.cjs` : `apps/${app}/src/main.ts`],
      cwd: root.pathname,
      env: { ...settings, ...own, ...usual.env, ...more.env, PORT: String(port) },
      nodeArgs,
      readyUrl: `http://127.0.0.1:${port}/readyz`,
      readyTimeoutMs: patienceMs,
      ...(onLine ? { onLine: (line: string) => onLine(app, line) } : {}),
    });
    stops.push(async (signal) => await running.stop(signal, 40_000));
    return running;
  };

  const ports = new Map<AppName, number>([['api', apiPort]]);
  for (const app of appNames.slice(1)) ports.set(app, await freePort());
  const apps = new Map<AppName, RunningProcess>();
  let localWorker: RunningProcess | undefined;
  const startLocal = async () => {
    if (local) localWorker = await launch('vision-worker', await freePort(), localLook);
  };
  const launches = await Promise.allSettled([
    ...[...ports].map(async ([app, port]) => {
      apps.set(app, await launch(app, port));
    }),
    startLocal(),
  ]);
  // Not before all have come up or failed: what comes up later would be stopped by nobody.
  for (const each of launches) if (each.status === 'rejected') throw each.reason;
  return {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    redis: redis.facts,
    s3: s3.facts,
    simulator: model.simulator,
    modelApiUrl: model.url,
    apps,
    localWorker,
    probes: new Map([...ports].map(([app, port]) => [app, `http://127.0.0.1:${port}`])),
    restart: async (app, more) => {
      const running = await launch(app, ports.get(app) ?? (await freePort()), more);
      apps.set(app, running);
      return running;
    },
    addReplica: async (app, more) => await launch(app, await freePort(), more),
    stop,
  };
}

async function openRedis(env: Environment, prefix: string, dataDir: string | undefined, stops: Release[]) {
  const given = env['REDIS_URL'];
  if (given) return { settings: { REDIS_PREFIX: prefix }, facts: { url: given, prefix, embedded: false } };
  const dir = dataDir === undefined ? undefined : join(dataDir, 'redis');
  if (dir) await mkdir(dir, { recursive: true });
  const server = await startRedis({
    binary: env['REDIS_SERVER_BIN'],
    ...(dir ? { dir, appendOnly: true } : {}),
  });
  stops.push(async () => await server.stop());
  return {
    settings: { REDIS_URL: server.url, REDIS_PREFIX: prefix },
    facts: { url: server.url, prefix, embedded: true },
  };
}

async function openS3(env: Environment, dataDir: string | undefined, stops: Release[]) {
  const bucket = env['S3_BUCKET'] ?? 'bunri-demo';
  // A bucket that is named without an endpoint is one at AWS.
  if (env['S3_ENDPOINT'] || env['S3_BUCKET']) {
    const region = env['S3_REGION'] ?? 'us-east-1';
    const [accessKeyId, secretAccessKey] = [env['S3_ACCESS_KEY_ID'], env['S3_SECRET_ACCESS_KEY']];
    const storage = createStorage({ bucket, region, endpoint: env['S3_ENDPOINT'], accessKeyId, secretAccessKey });
    if (env['S3_ENDPOINT'] && !(await storage.ready().catch(() => false))) await storage.createBucket();
    storage.close();
    return {
      settings: { S3_BUCKET: bucket, S3_REGION: region },
      facts: { endpoint: env['S3_ENDPOINT'] ?? 'AWS', bucket, embedded: false },
    };
  }
  const server = await startS3(dataDir === undefined ? {} : { dataDir: join(dataDir, 's3') });
  stops.push(async () => await server.stop());
  server.createBucket(bucket);
  return {
    settings: {
      S3_ENDPOINT: server.endpoint,
      S3_REGION: server.region,
      S3_ACCESS_KEY_ID: server.accessKeyId,
      S3_SECRET_ACCESS_KEY: server.secretAccessKey,
      S3_BUCKET: bucket,
    },
    facts: { endpoint: server.endpoint, bucket, embedded: true },
  };
}

type ModelChoice = { [K in 'latency' | 'seed' | 'withoutKey']: SystemOptions[K] | undefined };

async function openModels(
  env: Environment,
  { latency, seed = 1, withoutKey = 'simulator' }: ModelChoice,
  stops: Release[],
) {
  if (env['OPENAI_API_KEY']) {
    return { settings: {}, simulator: undefined, url: env['OPENAI_BASE_URL'] ?? 'https://api.openai.com/v1' };
  }
  if (withoutKey === 'built-in') {
    // An empty setting counts as absent, as for the apps themselves.
    const settings = { VISION_MODEL: env['VISION_MODEL'] || 'local', LLM_MODEL: env['LLM_MODEL'] || 'rules' };
    return { settings, simulator: undefined, url: undefined };
  }
  const simulator = await startModelApiSimulator({
    seed,
    latency: latency ?? { vision: [700, 1_300], answer: [400, 800] },
  });
  stops.push(async () => await simulator.stop());
  return {
    settings: { OPENAI_API_KEY: 'sk-simulator', OPENAI_BASE_URL: simulator.baseUrl },
    simulator,
    url: simulator.baseUrl,
  };
}
