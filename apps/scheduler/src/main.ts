import { createFlowQueue, openProbes, openRedis, openStorage, runApp } from '@bunri/runtime';
import { configSchema } from './config.ts';
import { createQueueGauges } from './queue-gauges.ts';
import { refreshEvery } from './refresh.ts';
import { schedules } from './schedules.ts';
import { createSuccesses } from './successes.ts';
import { serveTasks, type TaskQueue } from './task-queue.ts';
import { makeTasks } from './tasks.ts';

const gaugesEveryMs = 10_000;

runApp('scheduler', configSchema, process.env, async (app) => {
  const { config, log, metrics, life } = app;
  const redis = openRedis(app, 'consumer');
  const storage = openStorage(app);
  const shared = { redis, prefix: config.REDIS_PREFIX, metrics, log };
  const flows = createFlowQueue(shared);
  life.onStop('flow producer', async () => await flows.close());
  const gauges = createQueueGauges(shared);
  life.onStop('queue gauges', async () => await gauges.close());
  const tasks = makeTasks({ ...shared, config, storage, flows, gauges });

  let queues: TaskQueue[] = [];
  await openProbes(app, redis, { scheduler: () => queues.length > 0 && queues.every((queue) => queue.running()) });
  const serve = { ...shared, tasks, successes: createSuccesses(shared), graceMs: config.GRACE_MS };
  queues = await Promise.all(
    Object.entries(schedules).map(async ([queue, due]) => await serveTasks({ ...serve, queue, schedules: due })),
  );
  life.onStop('task queues', async () => {
    await Promise.all(queues.map(async (queue) => await queue.close()));
  });
  refreshEvery(gaugesEveryMs, async () => await Promise.all([gauges.refresh(), serve.successes.show()]), { life, log });
});
