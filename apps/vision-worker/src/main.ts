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
  const { MODEL_PRICES: prices, REDIS_PREFIX: prefix } = config;
  if (config.VISION_MODEL !== localName) assertPriced(prices, config.VISION_MODEL);

  const redis = openRedis(app, 'consumer');
  const storage = openStorage(app);
  const caps = { totalUsd: config.SPENDING_CAP_USD_PER_DAY, ownerUsd: config.SPENDING_CAP_USD_PER_OWNER };
  const handler = makeHandler({
    storage,
    cache: openCache(app, redis),
    flights: openSingleFlight(app, 'vision', redis),
    models: createVisionModels(config, { redis, metrics, log }, openLocal(app)),
    spending: createSpending({ redis, prefix, caps, metrics, log }),
    prices,
    metrics,
  });

  await serveWorker(app, 'vision', redis, handler, { storage: async () => await storage.ready() });
});
