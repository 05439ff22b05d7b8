import type { Redis } from 'ioredis';
import * as z from 'zod';
import { stages, type StageName } from '@bunri/queue-contracts';
import { createResultCache, type ResultCache } from './cache.ts';
import { parseConfig, processSettings, type storageSettings, type workerSettings } from './config.ts';
import { createLogger, type Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { serveProbes, type ReadinessCheck } from './probes.ts';
import { createProcessLife, runProcess, type ProcessLife } from './process.ts';
import { installProcessClock, type ProcessClock } from './process-clock.ts';
import { createRecordStore, type RecordStore } from './records.ts';
import { answers, closeRedis, connectConsumer, connectProducer, connectSubscriber, watchRedis } from './redis.ts';
import { createSingleFlight, type SingleFlight } from './single-flight.ts';
import { serveStage } from './stage.ts';
import type { Handler } from './stage-run.ts';
import { createStorage, type Storage } from './storage.ts';
import { recordSpan, setTracer } from './tracing.ts';
import { readTracing, type TracingOptions } from './tracing-settings.ts';

type ProcessConfig = z.infer<z.ZodObject<typeof processSettings>>;
type StorageConfig = z.infer<z.ZodObject<typeof storageSettings>>;
type WorkerConfig = z.infer<z.ZodObject<typeof workerSettings>>;

/** What every process has from its start to its end. */
export interface App<Config extends ProcessConfig = ProcessConfig> {
  readonly name: string;
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly life: ProcessLife;
  readonly clock: ProcessClock;
}

/** Starts an app: settings, log, metrics, signals. A configuration that is not usable is printed, and the process ends with code 78. */
export function runApp<Schema extends z.ZodObject<typeof processSettings & z.ZodRawShape>>(
  name: string,
  schema: Schema,
  env: Record<string, string | undefined>,
  start: (app: App<z.infer<Schema> & ProcessConfig>) => Promise<void>,
): void {
  let config: z.infer<Schema> & ProcessConfig;
  let tracing: TracingOptions | null;
  try {
    config = parseConfig(schema, env) as z.infer<Schema> & ProcessConfig;
    tracing = readTracing(name, config);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    // EX_CONFIG of sysexits.h: a restart will not help.
    process.exit(78);
  }
  const log = createLogger({ app: name, level: config.LOG_LEVEL });
  const metrics = createMetrics({ app: name });
  const clock = installProcessClock({ log, metrics });
  const life = createProcessLife({ log, graceMs: config.GRACE_MS });
  runProcess(life, log, async () => {
    const app = { name, config, log, metrics, life, clock };
    if (tracing) await openTracing(app, tracing);
    await start(app);
  });
}

/** Before anything else, so that its last spans are sent when all else has ended. */
async function openTracing({ life, log, metrics }: App, options: TracingOptions): Promise<void> {
  const { openTracer } = await import('./tracing-sdk.ts');
  const opened = openTracer(options, { log, metrics });
  setTracer(opened.tracer);
  life.onStop('tracing', async () => await opened.close());
}

/** The app's Redis connection of a kind, watched and closed with the process. */
export function openRedis(app: App, kind: 'producer' | 'consumer' | 'subscriber'): Redis {
  const { config, log, life, metrics, clock, name } = app;
  const connect = { producer: connectProducer, consumer: connectConsumer, subscriber: connectSubscriber }[kind];
  const redis = connect({
    url: config.REDIS_URL,
    prefix: config.REDIS_PREFIX,
    name: `${name}-${kind}`,
    log,
    onUp: (up) => {
      if (kind !== 'subscriber') metrics.redisUp.set(up);
    },
  });
  const endWatch = watchRedis(redis, { log });
  const endSync = kind === 'subscriber' ? () => undefined : clock.follow(redis);
  life.onStop(`redis ${kind}`, async () => {
    endWatch();
    endSync();
    await closeRedis(redis);
  });
  return redis;
}

/** The app's bucket, closed with the process. */
export function openStorage(
  app: App<ProcessConfig & StorageConfig>,
  { publicEndpoint }: { publicEndpoint?: string | undefined } = {},
): Storage {
  const { config, life, metrics } = app;
  const storage = createStorage({
    bucket: config.S3_BUCKET,
    region: config.S3_REGION,
    endpoint: config.S3_ENDPOINT,
    publicEndpoint,
    accessKeyId: config.S3_ACCESS_KEY_ID,
    secretAccessKey: config.S3_SECRET_ACCESS_KEY,
    onCall: (operation, outcome, seconds) => {
      metrics.storageSeconds.observe({ operation, outcome }, seconds);
      tellStorageCall(operation, outcome, seconds);
    },
  });
  life.onStop('storage', () => storage.close());
  return storage;
}

function tellStorageCall(operation: string, outcome: string, seconds: number): void {
  const endedAt = Date.now();
  const plan = () => ({
    name: `S3 ${operation}`,
    kind: 'client' as const,
    startedAt: endedAt - seconds * 1000,
    attributes: { 'bunri.outcome': outcome },
  });
  recordSpan(plan, { endedAt });
}

const hourMs = 3600 * 1000;

/** The app's records, kept as long as its settings say. */
export function openRecords({ config }: App, redis: Redis): RecordStore {
  return createRecordStore({
    redis,
    prefix: config.REDIS_PREFIX,
    retentionMs: config.RECORD_RETENTION_HOURS * hourMs,
    deadLetterRetentionMs: config.DEAD_LETTER_RETENTION_HOURS * hourMs,
  });
}

/** The app's result cache, kept as long as its settings say. */
export function openCache({ config, log, metrics }: App, redis: Redis): ResultCache {
  const retentionMs = config.CACHE_RETENTION_HOURS * hourMs;
  return createResultCache({ redis, prefix: config.REDIS_PREFIX, metrics, log, retentionMs });
}

/** The stage's single flight, closed with the process. */
export function openSingleFlight(app: App, stage: StageName, redis: Redis): SingleFlight {
  const { config, life, metrics } = app;
  const flights = createSingleFlight({ redis, prefix: config.REDIS_PREFIX, stage, metrics });
  life.onStop('single flight', async () => await flights.close());
  return flights;
}

/** Probes and metrics on the app's port. Readiness includes Redis, and ends with the first stop signal. */
export async function openProbes(app: App, redis: Redis, checks: Record<string, ReadinessCheck>): Promise<void> {
  const { config, log, life, metrics } = app;
  const server = await serveProbes({
    port: config.PORT,
    registry: metrics.registry,
    checks: { running: () => !life.stopping, redis: async () => await answers(redis, 1_500), ...checks },
  });
  life.onStop('probes', async () => await server.close());
  log.info('probes listen', { port: server.port });
}

/** Everything of a worker app but its handler: serves the stage, with probes, until the process stops. */
export async function serveWorker<S extends StageName>(
  app: App<ProcessConfig & WorkerConfig>,
  stage: S,
  redis: Redis,
  handler: Handler<S>,
  checks: Record<string, ReadinessCheck> = {},
): Promise<void> {
  const { config, log, life, metrics } = app;
  const subscriber = openRedis(app, 'subscriber');
  let running: () => boolean = () => false;
  await openProbes(app, redis, { worker: () => running(), ...checks });
  await app.clock.sync(redis);
  const server = await serveStage({
    stage,
    handler,
    redis,
    records: openRecords(app, redis),
    subscriber,
    prefix: config.REDIS_PREFIX,
    life,
    graceMs: config.GRACE_MS,
    log,
    metrics,
    concurrency: config.CONCURRENCY,
  });
  running = () => server.running();
  log.info('worker runs', { stage, concurrency: config.CONCURRENCY ?? stages[stage].concurrency });
}
