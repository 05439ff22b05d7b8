import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { freePort, startProcess } from '@bunri/testkit';
import { openBucket, openWorld, sampleRequest, type World } from './fixture.ts';
import { schedules } from './schedules.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

let world: World;
beforeEach(() => {
  world = openWorld(process.env);
});
afterEach(async () => await world.close());

test('the scheduler sets its schedules up, runs what is due, shows the queues and stops when it is told to', async () => {
  const { redis, prefix, records } = world;
  const { name, storage } = await openBucket(process.env);
  storage.close();
  const { REDIS_URL, S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = process.env;
  const port = await freePort();
  const lines: { task?: string; outcome?: string }[] = [];
  const seen = new Set<string>();
  const watched = Promise.withResolvers<void>();
  const scheduler = await startProcess({
    name: 'scheduler',
    args: [main],
    env: {
      REDIS_URL,
      REDIS_PREFIX: prefix,
      PORT: String(port),
      S3_BUCKET: name,
      S3_ENDPOINT,
      S3_REGION,
      S3_ACCESS_KEY_ID,
      S3_SECRET_ACCESS_KEY,
    },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
    onLine: (text) => {
      const line = JSON.parse(text) as { task?: string; outcome?: string };
      lines.push(line);
      if (line.task !== undefined) seen.add(line.task);
      if (seen.has('sweep') && seen.has('health_check')) watched.resolve();
    },
  });
  const [watch, maintenance] = ['watch', 'maintenance'].map((queue) => new Queue(queue, { connection: redis, prefix }));
  try {
    const written = await Promise.all([watch, maintenance].map(async (queue) => await queue?.getJobSchedulers()));
    expect(new Set(written.flat().map((schedule) => schedule?.key))).toEqual(
      new Set(Object.values(schedules).flatMap((tasks) => Object.keys(tasks))),
    );

    const late = sampleRequest({ createdAt: Date.now() - 10_000, deadlineAt: Date.now() - 1 });
    await records.accept(late);
    for (const job of (await watch?.getDelayed()) ?? []) await job.promote();
    await watched.promise;
    expect(await records.get(late.id)).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded' } });

    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/bunri_queue_workers\{[^}]*queue="watch"[^}]*\} 1/);
    expect(metrics).toMatch(/bunri_schedule_runs_total\{[^}]*task="sweep",outcome="completed"[^}]*\} 1/);
    expect(await scheduler.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(lines.filter(({ outcome }) => outcome === 'failed' || outcome === 'retry')).toEqual([]);
  } finally {
    await scheduler.stop('SIGKILL');
    await watch?.close();
    await maintenance?.close();
  }
});
