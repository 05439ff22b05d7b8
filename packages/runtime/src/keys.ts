import { createHash } from 'node:crypto';

/** Every Redis key that is ours; BullMQ's own keys live beside them as `<prefix>:<queue>:…`. */
export interface Keys {
  record(id: string): string;
  /** The event stream of a request, and the Pub/Sub channel on which its new entries are told. */
  events(id: string): string;
  owner(owner: string): string;
  idempotency(owner: string, key: string): string;
  /** The same by the hash of the client's key. */
  claim(owner: string, hash: string): string;
  statistics(day: string): string;
  cache(name: string, key: string): string;
  /** Which requests refer to a picture, by its hash, or to an upload, by the digits of its id. */
  image(name: string): string;
  /** Since when that is noted, epoch ms; 0 where it always was. */
  readonly imagesSince: string;
  /** What is known of a presigned upload. */
  upload(id: string): string;
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
  /** Secrets of an owner's webhooks, encrypted. */
  webhookSecrets(owner: string): string;
  /** What came of telling one event. */
  webhookDelivery(eventId: string): string;
  /** An owner's deliveries, oldest first; of one status, or of all. */
  webhookDeliveries(owner: string, status: string): string;
  /** There while an owner's URL has said that nobody listens at it any more. */
  webhookGone(owner: string, url: string): string;
  /** Ends that somebody is to be told of, by their time. */
  readonly outbox: string;
  /** Those of them that nobody could read so far, by their time; in the outbox they stand by that of the next try. */
  readonly outboxPostponed: string;
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
  /** API keys by their ids, hashed; and when each was used last. */
  readonly apiKeys: string;
  readonly apiKeysUsed: string;
  /** Pub/Sub channel on which the apis hear which API key was changed. */
  readonly apiKeysChanged: string;
  /** Whose browser holds a session, by the hash of what it holds. */
  session(hash: string): string;
  /** What people did to the system. */
  readonly audit: string;
}

export function createKeys(prefix: string): Keys {
  return {
    record: (id) => `${prefix}:request:${id}`,
    events: (id) => `${prefix}:request:${id}:events`,
    owner: (owner) => `${prefix}:owner:${owner}`,
    // The client's key is hashed: its length and its characters are not ours to trust.
    idempotency: (owner, key) => `${prefix}:idempotency:${owner}:${createHash('sha256').update(key).digest('hex')}`,
    claim: (owner, hash) => `${prefix}:idempotency:${owner}:${hash}`,
    statistics: (day) => `${prefix}:statistics:${day}`,
    cache: (name, key) => `${prefix}:cache:${name}:${key}`,
    image: (name) => `${prefix}:image:${name.slice(0, 32)}`,
    imagesSince: `${prefix}:image:since`,
    upload: (id) => `${prefix}:upload:${id}`,
    lease: (stage, key) => `${prefix}:lease:${stage}:${key}`,
    leaseWaiters: (stage, key) => `${prefix}:lease:${stage}:${key}:waiters`,
    slots: (stage) => `${prefix}:slots:${stage}`,
    breaker: (model) => `${prefix}:breaker:${model}`,
    modelBudget: (model) => `${prefix}:model-budget:${model}`,
    spending: (day) => `${prefix}:spending:${day}`,
    webhookSecrets: (owner) => `${prefix}:webhook-secrets:${owner}`,
    webhookDelivery: (eventId) => `${prefix}:webhook-delivery:${eventId}`,
    webhookDeliveries: (owner, status) => `${prefix}:webhook-deliveries:${owner}:${status}`,
    webhookGone: (owner, url) => `${prefix}:webhook-gone:${owner}:${createHash('sha256').update(url).digest('hex')}`,
    outbox: `${prefix}:outbox`,
    outboxPostponed: `${prefix}:outbox-postponed`,
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
    apiKeys: `${prefix}:api-keys`,
    apiKeysUsed: `${prefix}:api-keys-used`,
    apiKeysChanged: `${prefix}:api-keys-changed`,
    session: (hash) => `${prefix}:session:${hash}`,
    audit: `${prefix}:audit`,
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
