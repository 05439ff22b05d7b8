import { assertPriced } from '@bunri/engines';
import { openCache, openRedis, openSingleFlight, openStorage, runApp, serveWorker } from '@bunri/runtime';
import { configSchema } from './config.ts';
import { createVisionEngine } from './engine.ts';
import { makeHandler } from './handler.ts';

runApp('vision-worker', configSchema, process.env, async (app) => {
  const { config, metrics } = app;
  const { MODEL_PRICES: prices } = config;
  assertPriced(prices, config.VISION_MODEL);

  const redis = openRedis(app, 'consumer');
  const storage = openStorage(app);
  const cache = openCache(app, redis);
  const flights = openSingleFlight(app, 'vision', redis);
  const handler = makeHandler({
    storage,
    cache,
    flights,
    engine: createVisionEngine(config),
    effort: config.VISION_REASONING_EFFORT,
    prices,
    metrics,
  });

  await serveWorker(app, 'vision', redis, handler, { storage: async () => await storage.ready() });
});
