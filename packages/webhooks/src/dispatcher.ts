import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { createKeys, type Logger, type Metrics } from '@bunri/runtime';
import type { Deliveries } from './deliveries.ts';
import { eventId, kindOf, parseOutboxEntry, type EventSources, type WebhookJob } from './events.ts';
import { retryWaitsMs } from './schedule.ts';

export interface DispatcherOptions {
  readonly redis: Redis;
  readonly prefix: string;
  readonly queue: Pick<Queue<WebhookJob>, 'addBulk'>;
  readonly deliveries: Deliveries;
  readonly sources: EventSources;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => number;
  /** Attempts that a job may make. */
  readonly attempts?: number;
}

/** An event for which there is nobody to tell, one that this process does not know, or one to be queued. */
type Found = { readonly member: string; readonly job: WebhookJob | null };

const entriesARound = 100;
/** What this process cannot read may be meant for a newer one, and must not stand before the others. */
const postponedMs = 60_000;

/** KEYS 1 outbox, 2 true times of what was postponed. ARGV 1 until when, then entries. What has left the outbox stays out. */
const postponeScript = `
for i = 2, #ARGV do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if at then
    redis.call('ZADD', KEYS[2], 'NX', at, ARGV[i])
    redis.call('ZADD', KEYS[1], ARGV[1], ARGV[i])
  end
end`;
const jobName = 'deliver';
/** For looking, and so that an event that is queued again soon is known; the log of deliveries is the truth. */
const keptJobs = { age: 3600, count: 1000 };

/** How a job of the queue is added, under an id that is the same each time. */
export function jobOf(data: WebhookJob, id: string, attempts: number) {
  const kept = { removeOnComplete: keptJobs, removeOnFail: keptJobs };
  // Where an attempt came from is the same each time, and hundreds of thousands of jobs may wait for their next one.
  const opts = { jobId: id, attempts, backoff: { type: 'webhook' }, stackTraceLimit: 1, ...kept };
  return { name: jobName, data, opts };
}

/**
 * Brings events from the outbox to the queue. An event leaves the outbox only after it was queued, and is queued under an id
 * that follows from it: whoever dies on the way, or does the same at the same time, loses nothing and makes nothing of it two.
 */
export function createDispatcher(options: DispatcherOptions) {
  const { redis, queue, deliveries, sources, metrics, log, now } = options;
  const { attempts = retryWaitsMs.length + 1 } = options;
  const { outbox, outboxPostponed } = createKeys(options.prefix);

  /** What is due, with the times of the events: of what was postponed, the time before that. */
  async function read(): Promise<(readonly [member: string, at: number])[]> {
    const due = await redis.zrangebyscore(outbox, '-inf', now(), 'WITHSCORES', 'LIMIT', 0, entriesARound);
    const members = due.filter((_, i) => i % 2 === 0);
    if (members.length === 0) return [];
    const before = await redis.zmscore(outboxPostponed, ...members);
    return members.map((member, i) => [member, Number(before[i] ?? due[i * 2 + 1])] as const);
  }

  async function take(members: readonly string[]): Promise<void> {
    if (members.length === 0) return;
    await redis
      .multi()
      .zrem(outbox, ...members)
      .zrem(outboxPostponed, ...members)
      .exec();
  }

  async function find(member: string, at: number): Promise<Found | null> {
    const event = parseOutboxEntry(member, at);
    const source = event ? sources[kindOf(event.type)] : undefined;
    if (!event || !source) {
      log.warn('an event in the outbox is of no known kind', { entry: member.slice(0, 100) });
      return null;
    }
    try {
      const addressee = await source.addressee(event.subject);
      if (!addressee) {
        metrics.webhookDeliveries.inc({ outcome: 'lost' });
        log.warn('an event has nobody to be told any more', { event: event.type, subject: event.subject });
        return { member, job: null };
      }
      const { owner, url } = addressee;
      return { member, job: { ...event, id: eventId(event), owner, url } };
    } catch (error) {
      log.error('an event in the outbox cannot be read', { event: event.type, subject: event.subject, error });
      return null;
    }
  }

  return {
    /** One round. @returns how many entries it saw; as many as it takes at most when more may wait. */
    async dispatch(): Promise<number> {
      const entries = await read();
      if (entries.length === 0) return 0;
      const found = await Promise.all(entries.map(async ([member, at]) => await find(member, at)));
      const jobs = found.flatMap((one) => one?.job ?? []);
      await Promise.all(jobs.map(async (job) => await deliveries.open(job)));
      if (jobs.length > 0) await queue.addBulk(jobs.map((job) => jobOf(job, job.id, attempts)));
      await take(found.flatMap((one) => one?.member ?? []));
      const unread = entries.filter((_, i) => found[i] === null).map(([member]) => member);
      if (unread.length > 0)
        await redis.eval(postponeScript, 2, outbox, outboxPostponed, now() + postponedMs, ...unread);
      return entries.length;
    },
  };
}
export type Dispatcher = ReturnType<typeof createDispatcher>;
export { entriesARound };
