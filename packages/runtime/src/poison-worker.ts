// A vision worker as a process of its own, for poison.test.ts: it dies of the question `poison`.
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { outputs } from './pipeline-fixture.ts';
import { createProcessLife } from './process.ts';
import { createRecordStore } from './records.ts';
import { serveStage } from './stage.ts';

const [url = '', prefix = ''] = process.argv.slice(2);
const redis = new Redis(url, { maxRetriesPerRequest: null });
const log = createLogger({ app: 'test', level: 'error', silent: true });
await serveStage({
  stage: 'vision',
  handler: async ({ request }) => {
    await delay(50);
    if (request.question === 'poison') process.kill(process.pid, 'SIGKILL');
    await delay(100);
    return { output: outputs.vision, cached: false };
  },
  redis,
  records: createRecordStore({ redis, prefix }),
  subscriber: redis.duplicate(),
  prefix,
  life: createProcessLife({ log, graceMs: 1_000 }),
  graceMs: 1_000,
  log,
  metrics: createMetrics({ app: 'test', processMetrics: false }),
  concurrency: 8,
  lock: { durationMs: 5_000, stalledCheckMs: 300 },
});
