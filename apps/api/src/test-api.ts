// The API over HTTP with a real Redis and a real bucket, for the tests of this folder.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { stageOrder, stages, type FlowOrder, type UsualStage } from '@bunri/queue-contracts';
import {
  connectProducer,
  connectSubscriber,
  createAudit,
  createDeadLetters,
  createEventFeed,
  createFlowQueue,
  createImageReferences,
  createInspector,
  createLogger,
  createMetrics,
  createPipelineLoad,
  createRecordStore,
  createResultCache,
  createStorage,
  stageModels,
  type FlowQueue,
  type RecordStore,
  type ResultCache,
  type Storage,
} from '@bunri/runtime';
import { createBatchStore, type BatchStore } from '@bunri/batches';
import { createWebhooks } from '@bunri/webhooks';
import { until } from '@bunri/testkit/until';
import { createAdmission } from './admission.ts';
import { createApp } from './app.ts';
import { identifyByKey } from './auth.ts';
import type { BatchFeederDeps } from './batch-feeder.ts';
import { createByteBudget, type SharedByteBudget } from './byte-budget.ts';
import { createForecast } from './forecast.ts';
import { createModelAdmission } from './model-admission.ts';
import { createQueueOverview } from './queue-overview.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRecordReader } from './record-reader.ts';
import { createRefusal } from './refusal.ts';
import { createSessions, identifyBySession } from './sessions.ts';
import { serveApp } from './server.ts';
import { photoBudgetBytes } from './photo.ts';
import type { TestApiOptions } from './test-api-options.ts';
import { bearer, testKeys } from './test-keys.ts';
import { createUploads } from './uploads.ts';

export interface TestApi {
  readonly url: string;
  readonly prefix: string;
  readonly redis: Redis;
  readonly records: RecordStore;
  readonly storage: Storage;
  readonly batches: BatchStore;
  /** What accepts the rows of batches. */
  readonly feeding: BatchFeederDeps;
  readonly cache: ResultCache;
  readonly photoBudget: SharedByteBudget;
  readonly metrics: ReturnType<typeof createMetrics>;
  /** Requests whose flows were added. */
  readonly queued: string[];
  /** Those flows. */
  readonly orders: FlowOrder[];
  readonly app: ReturnType<typeof createApp>;
  fetch(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  /** Keys of the bucket's objects. */
  objects(): Promise<string[]>;
  /** Redis comes back without anything of ours, as after a restart without its files. */
  loseStore(): Promise<void>;
  /** Ends streams and waits, as the first step of a stop. */
  stopStreams(): void;
  close(): Promise<void>;
}

export const models = { vision: 'gpt-5', llm: 'gpt-4o-mini' };

export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const { now = Date.now, perMinute = 100_000, heartbeatMs = 15_000 } = options;
  const { env } = process;
  const url = options.redisUrl ?? env['REDIS_URL'] ?? '';
  const prefix = `{t${randomUUID()}}`;
  const log = createLogger({ app: 'api', level: 'error', silent: true });
  const metrics = createMetrics({ app: 'api', processMetrics: false });
  const redis = connectProducer({ url, name: 'test', log });
  const subscriber = connectSubscriber({ url, name: 'test', log });
  await until(() => redis.status === 'ready' && subscriber.status === 'ready');
  const storage = createStorage({
    bucket: `t-${randomUUID()}`,
    region: env['S3_REGION'] ?? 'us-east-1',
    endpoint: env['S3_ENDPOINT'],
    accessKeyId: env['S3_ACCESS_KEY_ID'],
    secretAccessKey: env['S3_SECRET_ACCESS_KEY'],
  });
  await storage.createBucket();
  const putUpload = options.putUpload ?? (async (put) => await put());
  const removeObjects = options.removeObjects ?? (async (remove) => await remove());
  const getObject = options.getObject ?? (async (get) => await get());
  const photoBudget = createByteBudget(options.photoBudgetBytes ?? photoBudgetBytes);
  const records = createRecordStore({ redis, prefix, now });
  const references = createImageReferences({ redis, keys: records.keys, now });
  const cache = createResultCache({ redis, prefix, metrics });
  const batches = createBatchStore({ redis, prefix, now });
  const flows = createFlowQueue({ redis, prefix });
  const queues = createQueueOverview({ redis, prefix, now });
  const webhookKey = options.webhookKey === undefined ? randomBytes(32) : options.webhookKey;
  const webhooks = webhookKey && createWebhooks({ redis, prefix, secretKey: webhookKey, log, now });
  const called = stageModels({ VISION_MODEL: models.vision, LLM_MODEL: models.llm });
  const load = createPipelineLoad({ redis, prefix, models: called, now });
  const forecast = createForecast({ records, load });
  const refusal = createRefusal({
    records,
    memory: options.memory ?? { hasRoom: async () => await Promise.resolve(true) },
    forecast: { ...forecast, ...options.forecast },
    spent: options.spent,
    metrics,
    log,
    now,
  });
  const inspector = createInspector({ records, prefix });
  const queued: string[] = [];
  const orders: FlowOrder[] = [];
  const addFlow: FlowQueue['add'] = options.addFlow ?? (async (request) => await flows.add(request));
  const keys = testKeys();
  const sessions = createSessions({ redis, prefix, keys, now });
  const boardClosers: (() => Promise<void>)[] = [];
  const stopping = new AbortController();
  const flowQueue: FlowQueue = {
    add: async (request) => {
      queued.push(request.id);
      orders.push(request);
      await addFlow(request);
    },
    along: (order) => {
      const carry = flows.along(order);
      return async (keys, args) => {
        // Where a test says how flows are added, they go by themselves.
        const carried = options.addFlow ? null : await carry(keys, args);
        if (carried?.queued) {
          queued.push(order.id);
          orders.push(order);
        }
        return carried;
      };
    },
    close: async () => undefined,
  };
  const app = createApp({
    admit: createAdmission({
      identify: identifyBySession(sessions, identifyByKey(keys)),
      rateLimit: createRateLimit({ redis, prefix, perMinute, log }),
    }),
    sessions,
    audit: createAudit({ redis, prefix, log }),
    records,
    reader: createRecordReader({ records, now }),
    feed: createEventFeed({ records, subscriber, log }),
    flows: flowQueue,
    deadLetters: { ...createDeadLetters({ records, flows: flowQueue, now }), ...options.deadLetters },
    inspector,
    queues,
    storage: {
      ...storage,
      put: async (...args) => await putUpload(async () => await storage.put(...args)),
      remove: async (...args) => await removeObjects(async () => await storage.remove(...args)),
      getBytes: async (...args) => await getObject(async () => await storage.getBytes(...args), args[1]),
    },
    photoBudget,
    cache,
    forecast: { ...forecast, ...options.forecast },
    refusal,
    models,
    allowHttpImageUrls: false,
    references,
    uploads: createUploads({ redis, keys: records.keys, storage, references, now }),
    webhooks,
    webhookUrls: { allowHttp: false },
    webhookLimit: createRateLimit({ redis, prefix: `${prefix}:webhook`, perMinute: 10, log }),
    ...createModelAdmission({ redis, prefix }, { vision: models.vision, allowed: ['gpt-4o'] }),
    checks: { redis: () => redis.status === 'ready' },
    heartbeatMs,
    stopping: stopping.signal,
    metrics,
    log,
    now,
    batches,
    pricedModels: models,
    prefix,
    caps: options.caps ?? {},
    board: { mode: options.board ?? 'read-only', onOpen: (closeBoard) => boardClosers.push(closeBoard) },
    wakeBatch: async (id) => await (options.wakeBatch ?? (async () => await Promise.resolve()))(id),
  });
  const server = await serveApp(app, { port: 0, host: '127.0.0.1' });
  const origin = `http://127.0.0.1:${server.port}`;

  return {
    url: origin,
    prefix,
    redis,
    records,
    storage,
    batches,
    feeding: {
      batches,
      references,
      records,
      reader: createRecordReader({ records, now }),
      flows: flowQueue,
      forecast,
      storage,
      cache,
      models,
      metrics,
      log,
      refusal,
      now,
    },
    cache,
    photoBudget,
    metrics,
    queued,
    orders,
    app,
    async fetch(path, { key = 'ann', headers, ...init } = {}) {
      const own = key === null ? {} : bearer(key);
      return await fetch(`${origin}${path}`, { ...init, headers: { ...own, ...(headers as Record<string, string>) } });
    },
    async objects() {
      const found: string[] = [];
      for await (const page of storage.list('')) found.push(...page.map(({ key }) => key));
      return found;
    },
    async loseStore() {
      await redis.unlink(...(await redis.keys(`${prefix}*`)));
      subscriber.disconnect(true);
    },
    stopStreams: () => stopping.abort(),
    async close() {
      stopping.abort();
      await server.close(0);
      await flows.close();
      await queues.close();
      for (const closeBoard of boardClosers) await closeBoard();
      await webhooks?.close();
      await inspector.close();
      if (redis.status === 'ready') {
        const left = await redis.keys(`${prefix}*`);
        if (left.length > 0) await redis.unlink(...left);
      }
      redis.disconnect();
      subscriber.disconnect();
      storage.close();
    },
  };
}

/** A form with a photo and text fields; the photo stands first unless it is told to stand last. */
export function form(
  image: Uint8Array | null,
  fields: Record<string, string> = {},
  order: 'first' | 'last' = 'first',
): FormData {
  const data = new FormData();
  const append = () => {
    if (image) data.append('image', new Blob([new Uint8Array(image)], { type: 'image/jpeg' }), 'photo.jpg');
  };
  if (order === 'first') append();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  if (order === 'last') append();
  return data;
}

/** Plays the workers: brings an accepted request through the stages, one after the other. */
export async function runStages(
  records: RecordStore,
  id: string,
  outputs: Partial<Record<UsualStage, unknown>>,
  upTo: UsualStage = 'llm',
): Promise<void> {
  for (const stage of stageOrder.slice(0, stageOrder.indexOf(upTo) + 1)) {
    const run = { id, stage, token: `run-${stage}` };
    await records.start(run);
    const output = stages[stage].output.parse(outputs[stage]);
    await records.finish(run, { output, durationMs: 5, cached: false });
  }
}
