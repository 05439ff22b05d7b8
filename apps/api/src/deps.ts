import type { Redis } from 'ioredis';
import { createBatchStore, serveBatches } from '@bunri/batches';
import {
  answerModels,
  answers,
  createApiKeys,
  createAudit,
  createDeadLetters,
  createEventFeed,
  createFlowQueue,
  createImageReferences,
  createInspector,
  createKeys,
  createPipelineLoad,
  createSpending,
  openCache,
  openRecords,
  openRedis,
  openStorage,
  stageModels,
  type App,
} from '@bunri/runtime';
import { createAdmission } from './admission.ts';
import { createBatchFeeder, type BatchFeederDeps } from './batch-feeder.ts';
import { createByteBudget } from './byte-budget.ts';
import type { ApiDeps } from './app.ts';
import { identifyAsDemo, identifyByKey, readApiKeys } from './auth.ts';
import type { Config } from './config.ts';
import { createForecast } from './forecast.ts';
import { createMemoryGuard } from './memory-guard.ts';
import { openWebhooks } from './open-webhooks.ts';
import { createModelAdmission } from './model-admission.ts';
import { createQueueOverview } from './queue-overview.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRecordReader } from './record-reader.ts';
import { createRefusal } from './refusal.ts';
import { createSessions, identifyBySession } from './sessions.ts';
import { photoBudgetBytes } from './photo.ts';
import { createStoredKeys, type StoredKeys } from './stored-keys.ts';
import { createUploads } from './uploads.ts';

const heartbeatMs = 15_000;
/** Webhook messages that an owner may ask for by hand. */
const webhooksByHandPerMinute = 30;

/** What an owner has spent; undefined where there is no cap. */
function spendingGuard({ config, metrics, log }: App<Config>, redis: Redis) {
  const { SPENDING_CAP_USD_PER_DAY: totalUsd, SPENDING_CAP_USD_PER_OWNER: ownerUsd, REDIS_PREFIX: prefix } = config;
  if (totalUsd === undefined && ownerUsd === undefined) return undefined;
  const spending = createSpending({ redis, prefix, caps: { totalUsd, ownerUsd }, metrics, log });
  return async (owner: string) => await spending.spent(owner);
}

/** The keys that `bunri keys` made; undefined where they are not accepted. */
function storedKeys({ config, log }: App<Config>, redis: Redis, subscriber: Redis): StoredKeys | undefined {
  if (!config.API_KEYS_IN_REDIS) return undefined;
  const { REDIS_PREFIX: prefix } = config;
  const channel = createKeys(prefix).apiKeysChanged;
  return createStoredKeys({ apiKeys: createApiKeys({ redis, prefix }), subscriber, channel, log });
}

/** Brings batches forward in this process, too. @returns what tells that one has something to do */
async function feedBatches(app: App<Config>, deps: BatchFeederDeps): Promise<(id: string) => Promise<void>> {
  const { config, metrics, log, life } = app;
  const served = { redis: openRedis(app, 'consumer'), prefix: config.REDIS_PREFIX, store: deps.batches, metrics, log };
  const feeder = await serveBatches({ ...served, look: createBatchFeeder(deps) });
  life.onStop('batches', async () => await feeder.close());
  return async (id) => await feeder.wake(id);
}

/** Opens all that the API works with; each thing is closed with the process. @throws ConfigError for a keys file that is unusable. */
export async function openDeps(app: App<Config>, stopping: AbortSignal): Promise<ApiDeps> {
  const { config, log, metrics, life } = app;
  const { REDIS_PREFIX: prefix, API_KEYS_FILE: keysFile } = config;
  const keys = keysFile === undefined ? config.API_KEYS : await readApiKeys(keysFile);
  const redis = openRedis(app, 'producer');
  const subscriber = openRedis(app, 'subscriber');
  const stored = storedKeys(app, redis, subscriber);
  const sessions =
    keys || stored ? createSessions({ redis, prefix, keys: keys ?? [], stored, now: Date.now }) : undefined;
  const storage = openStorage(app, { publicEndpoint: config.S3_PUBLIC_ENDPOINT });
  const flows = createFlowQueue({ redis, prefix, log });
  life.onStop('flows', async () => await flows.close());
  const queues = createQueueOverview({ redis, prefix, now: Date.now });
  life.onStop('queues', async () => await queues.close());
  const records = openRecords(app, redis);
  const keptHours = Math.max(config.RECORD_RETENTION_HOURS, config.DEAD_LETTER_RETENTION_HOURS);
  // With a day for what is open, and one to spare.
  const lifeMs = (keptHours + 48) * 3600_000;
  const references = createImageReferences({ redis, keys: records.keys, lifeMs });
  const inspector = createInspector({ records, prefix });
  life.onStop('inspector', async () => await inspector.close());
  const load = createPipelineLoad({ redis, prefix, models: stageModels(config), now: Date.now });
  const forecast = createForecast({ records, load });
  const spent = spendingGuard(app, redis);
  const memory = createMemoryGuard({ redis, now: Date.now });
  const deps = {
    admit: createAdmission({
      // The settings admit no start without keys but for a demo on loopback.
      identify: sessions ? identifyBySession(sessions, identifyByKey(keys ?? [], stored)) : identifyAsDemo,
      rateLimit: createRateLimit({ redis, prefix, perMinute: config.RATE_LIMIT_PER_MINUTE, log }),
    }),
    sessions,
    audit: createAudit({ redis, prefix, log }),
    records,
    reader: createRecordReader({ records, now: Date.now }),
    feed: createEventFeed({ records, subscriber, log }),
    flows,
    deadLetters: createDeadLetters({ records, flows }),
    inspector,
    forecast,
    refusal: createRefusal({ records, memory, forecast, spent, metrics, log, now: Date.now }),
    queues,
    storage,
    photoBudget: createByteBudget(photoBudgetBytes),
    cache: openCache(app, redis),
    models: answerModels(config),
    allowHttpImageUrls: config.ALLOW_HTTP_IMAGE_URLS,
    references,
    uploads: createUploads({ redis, keys: records.keys, storage, references, now: Date.now }),
    ...(await openWebhooks(app, redis)),
    webhookLimit: createRateLimit({ redis, prefix: `${prefix}:webhook`, perMinute: webhooksByHandPerMinute, log }),
    ...createModelAdmission({ redis, prefix }, { vision: config.VISION_MODEL, allowed: config.VISION_MODELS }),
    checks: {
      running: () => !life.stopping,
      redis: async () => await answers(redis, 1_500),
      storage: async () => await storage.ready(),
    },
    heartbeatMs,
    stopping,
    metrics,
    log,
    now: Date.now,
    batches: createBatchStore({ redis, prefix }),
    pricedModels: { vision: config.VISION_MODEL, llm: config.LLM_MODEL },
    prefix,
    caps: { totalUsd: config.SPENDING_CAP_USD_PER_DAY, ownerUsd: config.SPENDING_CAP_USD_PER_OWNER },
    board: { mode: config.BULL_BOARD, onOpen: (close: () => Promise<void>) => life.onStop('board', close) },
  };
  return { ...deps, wakeBatch: await feedBatches(app, deps) };
}
