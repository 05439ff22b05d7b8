import { Queue, type Job } from 'bullmq';
import { dueSince, firstPriority, jobDataSchema, stageNames, stages, type StageName } from '@bunri/queue-contracts';
import { readSlots, type Operator } from '@bunri/runtime';

/** A queue as somebody at a shell wants to know it. Times are seconds. */
export interface QueueLook {
  readonly queue: string;
  readonly state: 'running' | 'paused' | 'held' | 'no workers';
  /** For how long a rate limit still holds the queue. */
  readonly held_seconds: number;
  readonly waiting: { readonly interactive: number; readonly batch: number; readonly unclassed: number };
  readonly active: number;
  readonly delayed: number;
  readonly waiting_children: number;
  readonly failed: number;
  /** Since when the job that waits longest could have been taken. */
  readonly oldest_seconds: number;
  readonly workers: number;
  /** Jobs that the live workers take at once; null for a queue that is no stage's. */
  readonly slots: number | null;
  /** Jobs a minute, over the last five minutes or as far back as ended jobs are kept. */
  readonly per_minute: { readonly completed: number; readonly failed: number };
}

/** A queue with the stage that it belongs to, if it is one's. */
export interface KnownQueue {
  readonly queue: Queue;
  readonly stage: StageName | undefined;
}

/** Of ended jobs BullMQ keeps the last thousand of a stage and the last hundred of other queues. */
const fewestKept = 100;
const rateWindowMs = 5 * 60_000;
/** BullMQ's score of a prioritised job is its priority times 2^32, and a running number. */
const firstOfBatch = firstPriority.batch * 0x1_0000_0000;
/** In each class the oldest job is among the first few: classes are served by turns of their owners. */
const looked = 20;

/** Opens every queue under the prefix: those of the stages in their order, then what else there is, by name. */
export async function openQueues({ redis, prefix }: Operator): Promise<KnownQueue[]> {
  const named = new Set<string>();
  // BullMQ writes this key for every queue that somebody has opened.
  const pattern = `${prefix}:*:meta`;
  for await (const keys of redis.scanStream({ match: pattern, count: 1_000 }) as AsyncIterable<string[]>) {
    for (const key of keys) named.add(key.slice(prefix.length + 1, -':meta'.length));
  }
  const ofStages = stageNames.map((stage) => ({ stage, name: stages[stage].queue }));
  for (const { name } of ofStages) named.delete(name);
  const others = [...named].filter((name) => !name.includes(':')).toSorted();
  const open = (name: string): Queue => {
    const queue = new Queue(name, { connection: redis, prefix, skipMetasUpdate: true });
    // Troubles of the connection are told by the command that has them.
    queue.on('error', () => undefined);
    return queue;
  };
  return [
    ...ofStages.map(({ stage, name }) => ({ stage, queue: open(name) })),
    ...others.map((name) => ({ stage: undefined, queue: open(name) })),
  ];
}

export async function closeQueues(queues: readonly KnownQueue[]): Promise<void> {
  await Promise.all(queues.map(async ({ queue }) => await queue.close()));
}

/** Looks at a queue and changes nothing. */
export async function lookAt(operator: Operator, { queue, stage }: KnownQueue): Promise<QueueLook> {
  const { redis, prefix, now } = operator;
  const prioritized = queue.toKey('prioritized');
  const [counts, interactive, batch, paused, heldMs, live, oldest, completed, failed] = await Promise.all([
    queue.getJobCounts('waiting', 'active', 'delayed', 'waiting-children', 'failed'),
    redis.zcount(prioritized, '-inf', `(${firstOfBatch}`),
    redis.zcount(prioritized, firstOfBatch, '+inf'),
    queue.isPaused(),
    // What a stage writes to hold its queue; below it the limiter only counts.
    queue.getRateLimitTtl(Number.MAX_SAFE_INTEGER),
    stage === undefined
      ? queue.getWorkersCount().then((workers) => ({ workers, slots: null }))
      : readSlots(redis, prefix, stage),
    oldestReadySince(operator, queue),
    perMinute(operator, queue.toKey('completed')),
    perMinute(operator, queue.toKey('failed')),
  ]);
  const held = Math.max(0, heldMs);
  return {
    queue: queue.name,
    state: paused ? 'paused' : live.workers === 0 ? 'no workers' : held > 0 ? 'held' : 'running',
    held_seconds: Math.ceil(held / 1000),
    waiting: { interactive, batch, unclassed: counts['waiting'] ?? 0 },
    active: counts['active'] ?? 0,
    delayed: counts['delayed'] ?? 0,
    waiting_children: counts['waiting-children'] ?? 0,
    failed: counts['failed'] ?? 0,
    oldest_seconds: Math.max(0, now() - oldest) / 1000,
    workers: live.workers,
    slots: live.slots,
    per_minute: { completed, failed },
  };
}

/** All that could be taken by a worker now. */
export function waitingIn({ waiting }: QueueLook): number {
  return waiting.interactive + waiting.batch + waiting.unclassed;
}

/** Where older ones are not kept any more, the rate is that of those that are. */
async function perMinute({ redis, now }: Operator, key: string): Promise<number> {
  const at = now();
  const [recent, kept, first] = await Promise.all([
    redis.zcount(key, at - rateWindowMs, '+inf'),
    redis.zcard(key),
    redis.zrange(key, 0, '0', 'WITHSCORES'),
  ]);
  const cut = recent === kept && kept >= fewestKept;
  const spanMs = cut ? Math.max(1_000, at - Number(first[1] ?? at)) : rateWindowMs;
  return Math.round((recent / spanMs) * 60_000 * 10) / 10;
}

/** The jobs that are taken next, of both classes and of none. */
export async function nextJobs({ redis }: Operator, queue: Queue, most = looked): Promise<Job[]> {
  const prioritized = queue.toKey('prioritized');
  const ids = (
    await Promise.all([
      redis.lrange(queue.toKey('wait'), -most, -1),
      redis.zrangebyscore(prioritized, '-inf', `(${firstOfBatch}`, 'LIMIT', 0, most),
      redis.zrangebyscore(prioritized, firstOfBatch, '+inf', 'LIMIT', 0, most),
    ])
  ).flat();
  const jobs = await Promise.all(ids.map(async (id) => (await queue.getJob(id)) as Job | undefined));
  // A job may have been taken and removed between the list and its look-up.
  return jobs.filter((job) => job !== undefined);
}

/** Since when a job could have been taken: a stage's job is as old as its request, but ready only since the stage before. */
export async function readySince({ redis, records }: Operator, job: Job): Promise<number> {
  const data = jobDataSchema.safeParse(job.data);
  const readyAt = data.success ? await redis.hget(records.keys.record(data.data.requestId), 'readyAt') : null;
  return readyAt === null ? dueSince(job) : Number(readyAt);
}

async function oldestReadySince(operator: Operator, queue: Queue): Promise<number> {
  const jobs = await nextJobs(operator, queue);
  return Math.min(operator.now(), ...(await Promise.all(jobs.map(async (job) => await readySince(operator, job)))));
}
