import { openRedis, runApp, serveWorker } from '@bunri/runtime';
import { configSchema } from './config.ts';
import { makeHandler } from './handler.ts';

runApp('rag-worker', configSchema, process.env, async (app) => {
  const redis = openRedis(app, 'consumer');
  const { config, metrics } = app;
  await serveWorker(app, 'rag', redis, makeHandler({ tokenBudget: config.CONTEXT_TOKEN_BUDGET, metrics }));
});
