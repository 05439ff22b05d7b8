// A process that takes every batch and then hangs, for a test that kills it.
import { connectConsumer, createLogger, createMetrics } from '@bunri/runtime';
import { createBatchStore } from './batch-store.ts';
import { serveBatches } from './feeder-queue.ts';

const [url = '', prefix = '', lockMs = ''] = process.argv.slice(2);
const log = createLogger({ app: 'feeder', level: 'error' });
const redis = connectConsumer({ url, name: 'feeder', log });
await serveBatches({
  redis,
  prefix,
  store: createBatchStore({ redis, prefix }),
  look: async (id) => {
    process.stdout.write(`looks at ${id}\n`);
    return await new Promise<never>(() => undefined);
  },
  metrics: createMetrics({ app: 'feeder', processMetrics: false }),
  log,
  repairEveryMs: 100,
  lockMs: Number(lockMs),
});
