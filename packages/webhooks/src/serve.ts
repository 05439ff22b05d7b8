import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, Queue, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { webhookQueue } from '@bunri/queue-contracts';
import { oncePerMessage, type Logger, type Metrics } from '@bunri/runtime';
import type { PublicClient } from '@bunri/runtime/public-fetch';
import { createAttempt, type MakeAttempt } from './attempt.ts';
import { createDeliveries } from './deliveries.ts';
import { createDispatcher, entriesARound, type Dispatcher } from './dispatcher.ts';
import { webhookJobSchema, type EventSources, type WebhookJob } from './events.ts';
import { createLanes } from './lanes.ts';
import { retryWaitsMs, waitAfter } from './schedule.ts';
import { createWebhookSecrets } from './secrets.ts';
import { createSender } from './send.ts';

export interface ServeWebhooksOptions {
  /** A consumer connection: commands wait while Redis is away. */
  readonly redis: Redis;
  readonly prefix: string;
  readonly sources: EventSources;
  /** 32 bytes, the same in every process. */
  readonly secretKey: Buffer;
  /** The key is this process's own, as in a demo. */
  readonly isEphemeral?: boolean;
  readonly client: PublicClient;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => number;
  readonly random?: () => number;
  /** Attempts in flight in this process. Default 32. */
  readonly concurrency?: number;
  /** Default 15 s. */
  readonly timeoutMs?: number;
  /** Default: the schedule of the Standard Webhooks specification. */
  readonly waitsMs?: readonly number[];
  /** How often the outbox is looked at. Default 500 ms. */
  readonly pollMs?: number;
  /** How long a job is held without a sign of life, and how often such jobs are looked for. Default 30 s and 10 s. */
  readonly lock?: { readonly durationMs: number; readonly stalledCheckMs: number };
}

export interface WebhookServer {
  /** Takes nothing new, waits for what is in flight up to `graceMs`, and puts the rest back. */
  close(graceMs: number): Promise<void>;
}

const defaultConcurrency = 32;
const defaultTimeoutMs = 15_000;
const defaultPollMs = 500;
const defaultLock = { durationMs: 30_000, stalledCheckMs: 10_000 };
/** A lost process is no attempt: the job runs again however often that happens. */
const maxStalledCount = 1_000_000;

/** Moves events from the outbox to the queue and tells them, until it is closed. */
export async function serveWebhooks(options: ServeWebhooksOptions): Promise<WebhookServer> {
  const { redis, prefix, sources, secretKey, isEphemeral, metrics, log, now } = options;
  const { waitsMs = retryWaitsMs, random = Math.random } = options;
  const deliveries = createDeliveries({ redis, prefix, now });
  const attempt = createAttempt({
    sources,
    deliveries,
    secrets: createWebhookSecrets({ redis, prefix, key: secretKey, log, now, isEphemeral }),
    lanes: createLanes({ now }),
    send: createSender({ client: options.client, timeoutMs: options.timeoutMs ?? defaultTimeoutMs, now }),
    metrics,
    log,
    now,
    random,
    waitsMs,
  });
  const queue = new Queue<WebhookJob>(webhookQueue, { connection: redis, prefix });
  queue.on(
    'error',
    oncePerMessage((error) => log.warn('webhook queue trouble', { error })),
  );
  const attempts = waitsMs.length + 1;
  const dispatcher = createDispatcher({ redis, prefix, queue, deliveries, sources, metrics, log, now, attempts });
  const stopped = new AbortController();
  const worker = createWorker(options, attempt, stopped.signal);
  await worker.waitUntilReady();
  const running = worker.run();
  running.catch((error: unknown) => {
    log.error('the webhook worker ended', { error });
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  });
  const polling = keepDispatching(dispatcher, { pollMs: options.pollMs ?? defaultPollMs, log });
  return {
    async close(graceMs) {
      await polling.stop();
      const timer = setTimeout(() => stopped.abort(), graceMs);
      await worker.close();
      clearTimeout(timer);
      await queue.close();
    },
  };
}

function createWorker(options: ServeWebhooksOptions, attempt: MakeAttempt, signal: AbortSignal): Worker {
  const { redis, prefix, log, now, random = Math.random, lock = defaultLock, waitsMs } = options;
  const worker = new Worker(
    webhookQueue,
    async (job: Job, token = '') => {
      const data = webhookJobSchema.parse(job.data);
      const of = job.opts.attempts ?? 1;
      const verdict = await attempt(data, { attempt: job.attemptsMade + 1, of }, signal);
      if (verdict.next === 'done') return;
      // The queue forgets when a job was due once it is; without this a retry after a day would seem a day late.
      const dueAt = now() + verdict.waitMs;
      await job.updateData({ ...data, dueAt });
      if (verdict.next === 'retry') throw new RetryLater(verdict.waitMs);
      await job.moveToDelayed(dueAt, token);
      throw new DelayedError();
    },
    {
      connection: redis,
      prefix,
      concurrency: options.concurrency ?? defaultConcurrency,
      autorun: false,
      lockDuration: lock.durationMs,
      stalledInterval: lock.stalledCheckMs,
      maxStalledCount,
      settings: {
        // What the log of deliveries was told, where the attempt came as far as that.
        backoffStrategy: (attemptsMade, _type, error) =>
          error instanceof RetryLater ? error.waitMs : waitAfter(attemptsMade, { waitsMs, random: random() }),
      },
    },
  );
  worker.on(
    'error',
    oncePerMessage((error) => log.warn('webhook worker trouble', { error })),
  );
  worker.on('failed', (job, error) => {
    if (!(error instanceof RetryLater)) log.error('a webhook job broke', { job_id: job?.id, error });
  });
  return worker;
}

/** The queue makes the job again after this time. */
class RetryLater extends Error {
  override readonly name = 'RetryLater';
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`the next attempt is due in ${waitMs} ms`);
    this.waitMs = waitMs;
  }
}

/** A full round is followed by the next at once; what goes wrong is tried again, and said once. */
function keepDispatching(dispatcher: Dispatcher, { pollMs, log }: { pollMs: number; log: Logger }) {
  const stopped = new AbortController();
  const warn = oncePerMessage((error) => log.warn('the outbox cannot be emptied', { error }));
  const loop = async () => {
    while (!stopped.signal.aborted) {
      let seen = 0;
      try {
        seen = await dispatcher.dispatch();
      } catch (error) {
        warn(error instanceof Error ? error : new Error(String(error)));
      }
      if (seen < entriesARound) await delay(pollMs, undefined, stopped).catch(() => undefined);
    }
  };
  const ended = loop();
  return {
    async stop() {
      stopped.abort();
      await ended;
    },
  };
}
