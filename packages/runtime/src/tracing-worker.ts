// A process for tracing.test.ts. It tells which modules of OpenTelemetry it has loaded, and serves vision: it dies of the
// first job, or fails at it once.
import { registerHooks } from 'node:module';
import * as z from 'zod';

const loaded = new Set<string>();
registerHooks({
  load(url, context, next) {
    const [, name] = /.*\/node_modules\/(@opentelemetry\/[\w-]+)\//.exec(url) ?? [];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
const { outputs } = await import('./pipeline-fixture.ts');
const { openRecords, openRedis, runApp } = await import('./app.ts');
const { processSettings } = await import('./config.ts');
const { TransientError } = await import('./errors.ts');
const { serveStage } = await import('./stage.ts');

const [trouble = ''] = process.argv.slice(2);
let isOver = false;
runApp('test', z.object(processSettings), process.env, async (app) => {
  const { config, life, log, metrics } = app;
  log.info('loaded', { modules: [...loaded].toSorted() });
  const redis = openRedis(app, 'consumer');
  await serveStage({
    stage: 'vision',
    redis,
    life,
    log,
    metrics,
    graceMs: 1_000,
    prefix: config.REDIS_PREFIX,
    records: openRecords(app, redis),
    subscriber: openRedis(app, 'subscriber'),
    lock: { durationMs: 5_000, stalledCheckMs: 300 },
    handler: async () => {
      if (trouble === 'dies') process.kill(process.pid, 'SIGKILL');
      if (trouble === 'dies') return await new Promise<never>(() => undefined);
      if (isOver) return await Promise.resolve({ output: outputs.vision, cached: false });
      isOver = true;
      throw new TransientError('model_unavailable', 'not now');
    },
  });
  log.info('serves');
});
