import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { startSystem, type BunriSystem } from '@bunri/cli/system';
import { stageOrder, stages } from '@bunri/queue-contracts';
import { createRecordStore, type RecordStore } from '@bunri/runtime';
import { apiAccess, type Pitch } from './api-alone.ts';
import { createHttpLoad, type HttpLoad } from './http-load.ts';
import { readPods } from './pods.ts';
import { stopAll } from './stops.ts';

export interface WholeApi {
  readonly load: HttpLoad;
  readonly pid: number;
  /** Its records, by the store itself. */
  readonly records: RecordStore;
  /** Model calls so far, by kind. */
  calls(): { vision: number; answer: number };
  /** Jobs that the queues hold, ended ones included. */
  jobs(): Promise<number>;
}

/** The six apps on the pitch's Redis and bucket, with the simulator in this process, for as long as `use` takes. */
export async function withWholeSystem<Result>(
  { redis, bucket }: Pitch,
  env: Readonly<Record<string, string | undefined>>,
  use: (api: WholeApi) => Promise<Result>,
): Promise<Result> {
  const pods = await readPods();
  const system = await startSystem({
    env: { ...bucket.env, ...apiAccess, ...env, REDIS_URL: redis.url },
    launch: (app) => ({ env: pods.get(app)?.env ?? {} }),
    latency: { vision: [3_000, 5_000], answer: [1_000, 2_000] },
  });
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  const { prefix } = system.redis;
  const queues = stageOrder.map((stage) => new Queue(stages[stage].queue, { connection: client, prefix }));
  const load = createHttpLoad(system.apiUrl);
  try {
    return await use({
      load,
      pid: system.apps.get('api')?.pid ?? 0,
      records: createRecordStore({ redis: client, prefix }),
      calls: () => countCalls(system),
      jobs: async () => {
        const counts = await Promise.all(queues.map(async (queue) => Object.values(await queue.getJobCounts())));
        return counts.flat().reduce((sum, count) => sum + count, 0);
      },
    });
  } finally {
    load.close();
    await stopAll([
      async () => await system.stop(),
      () => client.disconnect(),
      ...queues.map((queue) => async () => await queue.close()),
    ]);
  }
}

function countCalls({ simulator }: BunriSystem): { vision: number; answer: number } {
  const calls = simulator?.calls() ?? [];
  const of = (wanted: string) => calls.filter(({ kind }) => kind === wanted).length;
  return { vision: of('vision'), answer: of('answer') };
}

/** Waits until as many requests as given have ended. @throws after `timeoutMs`. */
export async function untilEnded({ records }: WholeApi, count: number, timeoutMs: number): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const ended = await records.redis.zcard(records.keys.finished);
    if (ended >= count) return;
    if (performance.now() > giveUpAt) throw new Error(`${ended} of ${count} requests ended within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
