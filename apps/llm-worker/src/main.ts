import { assertPriced, readFallbacks, rulesName } from '@bunri/engines';
import {
  answerModels,
  createSpending,
  openCache,
  openRedis,
  openSingleFlight,
  runApp,
  serveWorker,
} from '@bunri/runtime';
import { configSchema } from './config.ts';
import { createGuidanceModels } from './engine.ts';
import { makeHandler } from './handler.ts';
import { makeRulesHandler } from './rules-handler.ts';

runApp('llm-worker', configSchema, process.env, async (app) => {
  const { config, metrics, log } = app;
  const { MODEL_PRICES: prices, REDIS_PREFIX: prefix } = config;
  const isWithoutModel = config.LLM_MODEL === rulesName;
  if (!isWithoutModel) assertPriced(prices, config.LLM_MODEL);

  const redis = openRedis(app, 'consumer');
  if (isWithoutModel) return await serveWorker(app, 'llm', redis, makeRulesHandler());
  const caps = { totalUsd: config.SPENDING_CAP_USD_PER_DAY, ownerUsd: config.SPENDING_CAP_USD_PER_OWNER };
  const handler = makeHandler({
    cache: openCache(app, redis),
    flights: openSingleFlight(app, 'llm', redis),
    models: createGuidanceModels(config, { redis, metrics, log }),
    rules: readFallbacks(config.LLM_FALLBACKS).rules,
    answeredBy: answerModels(config),
    spending: createSpending({ redis, prefix, caps, metrics, log }),
    prices,
    metrics,
  });

  await serveWorker(app, 'llm', redis, handler);
});
