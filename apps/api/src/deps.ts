import type { Redis } from 'ioredis';
import {
  answerModels,
  answers,
  createDeadLetters,
  createEventFeed,
  createFlowQueue,
  createInspector,
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
import { createByteBudget } from './byte-budget.ts';
import type { ApiDeps } from './app.ts';
import { identifyAsDemo, identifyByKey, readApiKeys } from './auth.ts';
import type { Config } from './config.ts';
import { createForecast } from './forecast.ts';
import { createMemoryGuard } from './memory-guard.ts';
import { createQueueOverview } from './queue-overview.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRecordReader } from './record-reader.ts';
import { createRefusal } from './refusal.ts';
import { photoBudgetBytes } from './photo.ts';

const heartbeatMs = 15_000;

/** What an owner has spent; undefined where there is no cap. */
function spendingGuard({ config, metrics, log }: App<Config>, redis: Redis) {
  const { SPENDING_CAP_USD_PER_DAY: totalUsd, SPENDING_CAP_USD_PER_OWNER: ownerUsd, REDIS_PREFIX: prefix } = config;
  if (totalUsd === undefined && ownerUsd === undefined) return undefined;
  const spending = createSpending({ redis, prefix, caps: { totalUsd, ownerUsd }, metrics, log });
  return async (owner: string) => await spending.spent(owner);
}

/** Opens all that the API works with; each thing is closed with the process. @throws ConfigError for a keys file that is unusable. */
export async function openDeps(app: App<Config>, stopping: AbortSignal): Promise<ApiDeps> {
  const { config, log, metrics, life } = app;
  const { REDIS_PREFIX: prefix, API_KEYS_FILE: keysFile } = config;
  const keys = keysFile === undefined ? config.API_KEYS : await readApiKeys(keysFile);
  const redis = openRedis(app, 'producer');
  const subscriber = openRedis(app, 'subscriber');
  const storage = openStorage(app);
  const flows = createFlowQueue({ redis, prefix });
  life.onStop('flows', async () => await flows.close());
  const queues = createQueueOverview({ redis, prefix, now: Date.now });
  life.onStop('queues', async () => await queues.close());
  const records = openRecords(app, redis);
  const inspector = createInspector({ records, prefix });
  life.onStop('inspector', async () => await inspector.close());
  const load = createPipelineLoad({ redis, prefix, models: stageModels(config), now: Date.now });
  const forecast = createForecast({ records, load });
  const spent = spendingGuard(app, redis);
  const memory = createMemoryGuard({ redis, now: Date.now });
  return {
    admit: createAdmission({
      // The settings admit no start without keys but for a demo on loopback.
      identify: keys ? identifyByKey(keys) : identifyAsDemo,
      rateLimit: createRateLimit({ redis, prefix, perMinute: config.RATE_LIMIT_PER_MINUTE, log }),
    }),
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
  };
}
