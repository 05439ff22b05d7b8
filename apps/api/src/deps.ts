import {
  answers,
  createEventFeed,
  createFlowQueue,
  openCache,
  openRecords,
  openRedis,
  openStorage,
  type App,
} from '@bunri/runtime';
import { createAdmission } from './admission.ts';
import type { ApiDeps } from './app.ts';
import { identifyAsDemo, identifyByKey, readApiKeys } from './auth.ts';
import type { Config } from './config.ts';
import { createMemoryGuard } from './memory-guard.ts';
import { createQueueOverview } from './queue-overview.ts';
import { createRateLimit } from './rate-limit.ts';
import { createRecordReader } from './record-reader.ts';

const heartbeatMs = 15_000;

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
    memory: createMemoryGuard({ redis, now: Date.now }),
    queues,
    storage,
    cache: openCache(app, redis),
    models: { vision: config.VISION_MODEL, llm: config.LLM_MODEL },
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
