import { createHash } from 'node:crypto';

/** Every Redis key that is ours; BullMQ's own keys live beside them as `<prefix>:<queue>:…`. */
export interface Keys {
  record(id: string): string;
  /** The event stream of a request, and the Pub/Sub channel on which its new entries are told. */
  events(id: string): string;
  owner(owner: string): string;
  idempotency(owner: string, key: string): string;
  statistics(day: string): string;
  cache(name: string, key: string): string;
  /** Who does the work of this cache key, and which jobs wait for it. */
  lease(stage: string, key: string): string;
  leaseWaiters(stage: string, key: string): string;
  /** The live workers of a stage with their slots. */
  slots(stage: string): string;
  /** State of a model's circuit breaker. */
  breaker(model: string): string;
  /** A model's token bucket, by the name that `modelName` gives. */
  modelBudget(model: string): string;
  /** What was spent on models on a day, in all and by owner. */
  spending(day: string): string;
  readonly deadlines: string;
  readonly unqueued: string;
  readonly finished: string;
  /** Up to when finished requests have been put to rest, epoch ms. */
  readonly archivedUntil: string;
  /** How far the lists of all owners have been looked through for what is gone: a cursor of SCAN. */
  readonly ownersCursor: string;
  /** Failed requests that are kept for an operator, by the time of their failure. */
  readonly dead: string;
  /** Whose turn it is in each class of requests, and each owner's next turn. */
  readonly turns: string;
  /** Since when this store is known, epoch ms. */
  readonly epoch: string;
  readonly cacheIndex: string;
  /** Pub/Sub channel on which workers hear which request to stop. */
  readonly control: string;
}

export function createKeys(prefix: string): Keys {
  return {
    record: (id) => `${prefix}:request:${id}`,
    events: (id) => `${prefix}:request:${id}:events`,
    owner: (owner) => `${prefix}:owner:${owner}`,
    // The client's key is hashed: its length and its characters are not ours to trust.
    idempotency: (owner, key) => `${prefix}:idempotency:${owner}:${createHash('sha256').update(key).digest('hex')}`,
    statistics: (day) => `${prefix}:statistics:${day}`,
    cache: (name, key) => `${prefix}:cache:${name}:${key}`,
    lease: (stage, key) => `${prefix}:lease:${stage}:${key}`,
    leaseWaiters: (stage, key) => `${prefix}:lease:${stage}:${key}:waiters`,
    slots: (stage) => `${prefix}:slots:${stage}`,
    breaker: (model) => `${prefix}:breaker:${model}`,
    modelBudget: (model) => `${prefix}:model-budget:${model}`,
    spending: (day) => `${prefix}:spending:${day}`,
    deadlines: `${prefix}:deadlines`,
    unqueued: `${prefix}:unqueued`,
    finished: `${prefix}:finished`,
    archivedUntil: `${prefix}:archived-until`,
    ownersCursor: `${prefix}:owners-cursor`,
    dead: `${prefix}:dead`,
    turns: `${prefix}:turns`,
    epoch: `${prefix}:epoch`,
    cacheIndex: `${prefix}:cache-index`,
    control: `${prefix}:control`,
  };
}

const dayMs = 24 * 3600 * 1000;
/** Seoul is nine hours ahead of UTC all the year; it has had no summer time since 1988. */
const seoulOffsetMs = 9 * 3600 * 1000;
let latest = { day: Number.NaN, text: '' };

/** The calendar day in Seoul, `YYYY-MM-DD`: statistics are counted by the users' day. */
export function dayInSeoul(epochMs: number): string {
  const day = Math.floor((epochMs + seoulOffsetMs) / dayMs);
  // Asked at every transition, and hardly ever for another day than the last time.
  if (day !== latest.day) latest = { day, text: new Date(day * dayMs).toISOString().slice(0, 10) };
  return latest.text;
}
