import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { stageJobId, stages, type StageName } from '@bunri/queue-contracts';
import { SharedWorkError, StageAbort } from './errors.ts';
import { createKeys } from './keys.ts';
import type { Metrics } from './metrics.ts';
import { StoreUnavailable } from './patient-records.ts';

/**
 * KEYS 1 lease, 2 waiters, 3 record. ARGV 1 request id, 2 ttl ms, 3 job id of the waiter. A lease is taken again by the
 * request that holds it: its job runs once more after its worker died. Answers the fencing token, or the lease's remaining
 * ms, negative, or false where nobody waits for the work any more: the request has ended, or its store came back empty.
 */
const takeLease = `
local status = redis.call('HGET', KEYS[3], 'status')
if status ~= 'running' and status ~= 'queued' then return false end
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then
  redis.call('SADD', KEYS[2], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return -redis.call('PTTL', KEYS[1])
end
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return token`;

/** KEYS 1 lease, 2 waiters. ARGV 1 request id, 2 fencing token. Answers the waiters, if the lease was still this run's. */
const endLease = `
local lease = redis.call('HMGET', KEYS[1], 'holder', 'token')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return {} end
redis.call('DEL', KEYS[1])
local waiters = redis.call('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[2])
return waiters`;

const defaultLongestWaitMs = 3_000;

export interface SingleFlight {
  /**
   * Does the work unless another request is doing the same: then it throws `SharedWorkError`, and the job waits without a
   * slot until the other's result is in the cache. `look` gives the result that is there already, or null. It is called
   * while the lease is taken, and whatever it sends by the same client comes behind: what a holder before has kept is found.
   * The lease lasts until what `work` gives to `until` is done, though the run does not wait for that.
   */
  run<Result>(
    key: string,
    requestId: string,
    look: () => Promise<Result | null>,
    work: (until: (kept: Promise<unknown>) => void) => Promise<Result>,
  ): Promise<Result>;
  close(): Promise<void>;
}

/** One paid call for identical work in flight in all processes of a stage, by a lease in Redis with a fencing token. */
export function createSingleFlight(options: {
  redis: Redis;
  prefix: string;
  stage: StageName;
  metrics: Metrics;
  /**
   * How long a waiting job sleeps at most before it looks again. It is woken when the work is done; this bounds the wait
   * for one that began to wait while it was being woken. Default: 3,000 ms.
   */
  longestWaitMs?: number | undefined;
}): SingleFlight {
  const { redis, prefix, stage, metrics, longestWaitMs = defaultLongestWaitMs } = options;
  const keys = createKeys(prefix);
  const queue = new Queue(stages[stage].queue, { connection: redis, prefix });
  // Troubles of the connection are told where it was opened.
  queue.on('error', () => undefined);
  redis.defineCommand('bunri_endLease', { lua: endLease, numberOfKeys: 2 });
  const scripts = redis as unknown as {
    bunri_endLease(lease: string, waiters: string, ...args: (string | number)[]): Promise<string[]>;
  };
  // Longer than any run of the stage, so that a lease never ends under its holder.
  const ttlMs = stages[stage].timeoutMs + 5_000;

  async function wake(jobId: string): Promise<void> {
    const job = await queue.getJob(jobId);
    // One that is not delayed yet finds the result by itself, within `longestWaitMs`.
    if (job && (await job.isDelayed())) await job.promote();
  }

  const ending = new Set<Promise<void>>();

  /** Ends a lease that this run holds, and wakes who waited for it. Nobody has to wait for that. */
  function end(
    names: readonly [lease: string, waiters: string],
    requestId: string,
    token: number,
    kept: readonly Promise<unknown>[],
  ): void {
    const ended = async () => {
      await Promise.allSettled(kept);
      // A lease that cannot be ended runs out by itself; what was paid for must not be lost with it.
      const waiters = await scripts.bunri_endLease(...names, requestId, token).catch((): string[] => []);
      await Promise.allSettled(waiters.map(wake));
    };
    const running = ended().finally(() => ending.delete(running));
    ending.add(running);
  }

  return {
    async run(key, requestId, look, work) {
      const names = [keys.lease(stage, key), keys.leaseWaiters(stage, key)] as const;
      // In full, since a script by its hash may be unknown, and would be sent again behind the look.
      const taking = redis
        .eval(takeLease, 3, ...names, keys.record(requestId), requestId, ttlMs, stageJobId(requestId, stage))
        .then((answer) => answer as number | null)
        .catch((error: unknown) => {
          // Nothing is paid for yet, and without the lease it might be twice: the job goes back unharmed.
          throw new StoreUnavailable('the lease could not be taken', { cause: error });
        });
      const [taken, looked] = await Promise.allSettled([taking, look()]);
      if (taken.status === 'rejected') {
        // What is there already needs no lease.
        if (looked.status === 'fulfilled' && looked.value !== null) return looked.value;
        throw taken.reason;
      }
      const token = taken.value;
      if (token === null) throw new StageAbort('closed');
      const isHolder = token > 0;
      const kept: Promise<unknown>[] = [];
      try {
        if (looked.status === 'rejected') throw looked.reason;
        if (looked.value !== null) return looked.value;
        metrics.sharedWork.inc({ stage, role: isHolder ? 'led' : 'waited' });
        if (!isHolder) throw new SharedWorkError(Math.min(longestWaitMs, Math.max(1, -token)));
        return await work((one) => void kept.push(one));
      } finally {
        if (isHolder) end(names, requestId, token, kept);
      }
    },
    async close() {
      await Promise.all(ending);
      await queue.close();
    },
  };
}
