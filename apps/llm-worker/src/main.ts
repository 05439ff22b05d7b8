import { assertPriced } from '@bunri/engines';
import { openCache, openRedis, openSingleFlight, runApp, serveWorker } from '@bunri/runtime';
import { configSchema } from './config.ts';
import { createGuidanceEngine } from './engine.ts';
import { makeHandler } from './handler.ts';

runApp('llm-worker', configSchema, process.env, async (app) => {
  const { config, metrics } = app;
  const { MODEL_PRICES: prices } = config;
  assertPriced(prices, config.LLM_MODEL);

  const redis = openRedis(app, 'consumer');
  const cache = openCache(app, redis);
  const engine = createGuidanceEngine(config);
  const flights = openSingleFlight(app, 'llm', redis);
  const handler = makeHandler({ cache, flights, engine, prices, metrics, visionModel: config.VISION_MODEL });

  await serveWorker(app, 'llm', redis, handler);
});
