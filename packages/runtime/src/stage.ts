import { randomBytes } from 'node:crypto';
import { DelayedError, UnrecoverableError, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  failure,
  jobDataSchema,
  priorityAfterTaken,
  stages,
  type JobData,
  type StageDefinition,
  type StageName,
} from '@bunri/queue-contracts';
import { createAbortRegistry, listenForAborts } from './abort-registry.ts';
import { Closing } from './closing.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { oncePerMessage } from './once-per-message.ts';
import type { ProcessLife } from './process.ts';
import { quietMarkers } from './quiet-markers.ts';
import type { RecordStore } from './records.ts';
import { runStage, type Handler, type RunEnd } from './stage-run.ts';
import { isSibling } from './stage-input.ts';
import { lostMessage } from './stage-settle.ts';
import { createSiblingWaker } from './stage-sibling.ts';
import { registerStageScripts } from './stage-scripts.ts';
import { announceSlots } from './stage-slots.ts';
import { StageWorker } from './stage-worker.ts';

/** A killed worker's job runs again after what is left of its lock and at most one check: 20 s. */
const defaultLock = { durationMs: 15_000, stalledCheckMs: 5_000 };
/** How often a job may be taken from a dead worker. Higher than the record's own limit, which gives the typed error. */
const maxStalledCount = 20;

export interface ServeStageOptions<S extends StageName> {
  readonly stage: S;
  readonly handler: Handler<S>;
  /** A consumer connection: shared by the worker's commands and the records. */
  readonly redis: Redis;
  /** On the same connection. */
  readonly records: RecordStore;
  /** A connection of its own for Pub/Sub. */
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly life: ProcessLife;
  readonly graceMs: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly concurrency?: number | undefined;
  /** How long a job is held without a sign of life, and how often such jobs are looked for. Default 15 s and 5 s. */
  readonly lock?: { readonly durationMs: number; readonly stalledCheckMs: number };
}

export interface StageServer {
  /** True while the worker takes jobs. */
  running(): boolean;
}

/** Serves a stage's queue until the process stops: takes jobs, runs them, settles them. */
export async function serveStage<S extends StageName>(options: ServeStageOptions<S>): Promise<StageServer> {
  const { stage, redis, records, prefix, life, log, metrics, lock = defaultLock } = options;
  const definition: StageDefinition = stages[stage];
  const concurrency = options.concurrency ?? definition.concurrency;
  const registry = createAbortRegistry();
  await listenForAborts(options.subscriber, records.keys, registry);
  const runner = { stage, handler: options.handler, records, metrics, log, suspects: { held: false } };
  // Short, as it is sent twice a run; without a colon, which ends it in a run's token.
  const processToken = randomBytes(9).toString('base64url');
  let runs = 0;
  const newToken = () => `${processToken}:${(runs += 1)}`;
  const sibling = stage === 'preprocess' ? createSiblingWaker({ redis, prefix, log }) : null;
  if (sibling) life.onStop('waker of local looks', async () => await sibling.close());

  const worker = new StageWorker(
    definition.queue,
    async (job: Job, lockToken = '') => {
      const { id: jobId = '', data, attemptsMade, opts } = job;
      const { token = newToken(), reply: begun } = worker.takeBegun(jobId) ?? {};
      const facts = { jobId, data, attemptsMade, attempts: opts.attempts ?? 1, token, begun };
      const closing = new Closing(worker.finishAndMove, async (carry) => {
        const endRenewal = keepLocked(job, lockToken, lock.durationMs, log);
        try {
          const result = await runStage(runner, { ...facts, carry }, registry);
          // Its result is in the record by now, where the other stage will find it.
          if (sibling && hasEnded(result)) await sibling.wake(job.data);
          await settleJob({ redis, worker, job, lockToken }, result);
        } finally {
          endRenewal();
        }
      });
      return await Promise.race([closing.asked, closing.ended.then(() => undefined)]);
    },
    {
      connection: redis,
      prefix,
      concurrency,
      autorun: false,
      lockDuration: lock.durationMs,
      // BullMQ renews by the time of day, which steps when this process's clock is put right.
      skipLockRenewal: true,
      stalledInterval: lock.stalledCheckMs,
      maxStalledCount,
      // Workers stop together at a rate limit only if they have a limiter; this one never limits by itself.
      ...(definition.resource === 'network' ? { limiter: { max: 1_000_000, duration: 1000 } } : {}),
      settings: { backoffStrategy: (attemptsMade) => backoffMs(definition.backoff, attemptsMade, Math.random()) },
    },
  );
  worker.on(
    'error',
    oncePerMessage((error) => log.warn('worker trouble', { stage, error })),
  );
  // Shown before there are any: an increase is seen only from a value on.
  metrics.stalledJobs.inc({ stage }, 0);
  worker.on('stalled', () => metrics.stalledJobs.inc({ stage }));
  worker.on('failed', (job) => {
    // Jobs also fail without a run of ours (stalled too often, a child's failure). For an open request this is the end;
    // for a closed one, as after every failed run, it changes nothing.
    const data = jobDataSchema.safeParse(job?.data);
    if (data.success && job?.finishedOn !== undefined) void closeLost(data.data);
  });

  async function closeLost({ requestId: id, generation = 0, looks }: JobData): Promise<void> {
    const error = failure('worker_lost', lostMessage, stage);
    try {
      if (isSibling({ stage, looks })) await records.giveUp({ id, stage, generation }, error);
      else await records.fail(id, error, { generation });
    } catch (error) {
      log.error('a failed request could not be closed; the sweeper will', { request_id: id, error });
    }
  }

  await worker.waitUntilReady();
  quietMarkers(redis);
  const scripts = registerStageScripts(redis);
  if (scripts)
    worker.useScripts(scripts, () => {
      const token = newToken();
      return { token, ...records.beginning({ stage, token }, runner.suspects.held) };
    });
  metrics.stageSlots.set({ stage }, concurrency);
  const running = worker.run();
  running.catch((error: unknown) => {
    log.error('the worker loop ended', { stage, error });
    // Nothing would take jobs any more while the process looked alive.
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  });

  life.onStop(`stage ${stage}`, async () => {
    const drained = worker.close();
    const timer = setTimeout(() => {
      log.warn('handing back what is still running', { stage, count: registry.size });
      registry.abortAll('shutdown');
    }, options.graceMs);
    await drained;
    clearTimeout(timer);
  });

  // Gone first: a process that drains takes nothing new.
  const slots = announceSlots({ redis, prefix, stage, slots: concurrency, log });
  life.onStop(`slots ${stage}`, async () => await slots.close());

  return { running: () => worker.isRunning() && !worker.isPaused() && !life.stopping };
}

/**
 * Renews the job's lock until the returned function is called. A lock that could not be renewed is no reason to stop: the
 * work is paid for already, and the record's fence decides whose result counts, this run's or that of the one that repeats it.
 */
function keepLocked(job: Job, lockToken: string, durationMs: number, log: Logger): () => void {
  const timer = setInterval(() => {
    job.extendLock(lockToken, durationMs).catch((error: unknown) => {
      log.warn('a lock could not be renewed', { job_id: job.id, error });
    });
  }, durationMs / 2);
  return () => clearInterval(timer);
}

/** Whether the stage has its result, from this run or an earlier one. */
function hasEnded({ end }: RunEnd): boolean {
  return end === 'completed' || end === 'skipped';
}

/** A job that this process has taken. */
interface Held {
  readonly redis: Redis;
  readonly worker: StageWorker;
  readonly job: Job;
  readonly lockToken: string;
}

/** Tells BullMQ how the run ended, in the only way it understands: by returning or by what is thrown. */
async function settleJob(held: Held, result: RunEnd): Promise<void> {
  switch (result.end) {
    case 'completed':
    case 'skipped':
      return;
    case 'fenced':
      // The job belongs to a later run; whatever is said here is refused for want of the lock.
      return;
    case 'failed':
      throw new UnrecoverableError(result.error.message);
    case 'retry':
      throw result.error;
    case 'released':
      return await handBack(held, 0);
    case 'waiting':
      return await handBack(held, result.waitMs);
    case 'rate_limited': {
      // Up to a tenth more than asked, so that the pods do not all come back in the same millisecond.
      const pauseMs = Math.ceil(result.retryAfterMs * (1 + Math.random() / 10));
      // Where Redis has no room for the pause, this job waits all the same, and the others hear it for themselves.
      await pauseQueue(held.redis, held.worker, pauseMs).catch(() => undefined);
      return await handBack(held, pauseMs);
    }
  }
}

/** Another run may have ended the job and removed it. KEYS 1 job. ARGV 1 priority. */
const priorityScript = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'priority', ARGV[1]) end`;

/**
 * Puts a job back without spending an attempt. By way of the delayed set, since that wakes an idle worker on time; a job
 * that BullMQ moves back to a prioritised queue directly waits there until some worker's blocking read times out, 5 s.
 */
async function handBack({ redis, worker, job, lockToken }: Held, delayMs: number): Promise<never> {
  // Whoever was taken once keeps their place: of those with the same turn, others came later.
  // A Redis that is full refuses this, and takes the rest, which begins with a deletion: better behind than not put back.
  await redis
    .eval(priorityScript, 1, worker.toKey(job.id ?? ''), priorityAfterTaken(job.priority))
    .catch(() => undefined);
  await job.moveToDelayed(Date.now() + delayMs, lockToken);
  throw new DelayedError();
}

/** What BullMQ writes into a limiter's key to stop a queue; below it the key counts the jobs of the limiter's period. */
const paused = Number.MAX_SAFE_INTEGER;

/** A pause is only ever made longer. KEYS 1 limiter. ARGV 1 pause ms. */
const pauseScript = `
local isPaused = tonumber(redis.call('GET', KEYS[1]) or 0) >= ${paused}
if not isPaused or redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '${paused}', 'PX', ARGV[1])
end`;

/** Of several workers that were told to wait, the one that was told to wait longest decides for all. */
async function pauseQueue(redis: Redis, worker: StageWorker, pauseMs: number): Promise<void> {
  await redis.eval(pauseScript, 1, worker.toKey('limiter'), pauseMs);
}

/** Exponential with a cap; `random` in [0, 1) takes away up to the jitter's share. */
export function backoffMs(backoff: StageDefinition['backoff'], attemptsMade: number, random: number): number {
  const full = Math.min(backoff.maxDelayMs, backoff.delayMs * 2 ** Math.max(0, attemptsMade - 1));
  return Math.round(full * (1 - backoff.jitter * random));
}
