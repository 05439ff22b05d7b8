import { availableParallelism } from 'node:os';
import { assertPriced, localName } from '@bunri/engines';
import {
  createSpending,
  openCache,
  openRedis,
  openSingleFlight,
  openStorage,
  runApp,
  serveWorker,
} from '@bunri/runtime';
import { configSchema } from './config.ts';
import { createVisionModels } from './engine.ts';
import { makeHandler } from './handler.ts';
import { openLocal } from './local.ts';

runApp('vision-worker', configSchema, process.env, async (app) => {
  const { config, metrics, log } = app;
  const { MODEL_PRICES: prices, REDIS_PREFIX: prefix, VISION_QUEUE: stage } = config;
  for (const model of [config.VISION_MODEL, ...config.VISION_MODELS]) {
    if (model !== localName) assertPriced(prices, model);
  }

  const redis = openRedis(app, 'consumer');
  const storage = openStorage(app);
  const caps = { totalUsd: config.SPENDING_CAP_USD_PER_DAY, ownerUsd: config.SPENDING_CAP_USD_PER_OWNER };
  const local = openLocal(app, availableParallelism());
  const handler = makeHandler({
    stage,
    storage,
    cache: openCache(app, redis),
    flights: openSingleFlight(app, stage, redis),
    models: createVisionModels(config, { redis, metrics, log }, local?.link),
    spending: createSpending({ redis, prefix, caps, metrics, log }),
    prices,
    metrics,
  });

  const CONCURRENCY = config.CONCURRENCY ?? (stage === 'vision.local' ? local?.concurrency : undefined);
  const served = { ...app, config: { ...config, CONCURRENCY } };
  await serveWorker(served, stage, redis, handler, { storage: async () => await storage.ready() });
});
