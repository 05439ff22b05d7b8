import type { Redis } from 'ioredis';
import { dayInSeoul, nanoUsd, type Keys, type Metrics } from '@bunri/runtime';

export interface StoreGaugesOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly metrics: Metrics;
  readonly now: () => number;
}

/** Fields of a day's spending that are looked at; with more owners than that, the dearest of those are shown. */
const mostFields = 5_000;
const mostOwners = 10;

/** Exports what the day has cost so far, and for whom. */
export function createSpendingGauges({ redis, keys, metrics, now }: StoreGaugesOptions) {
  return async (): Promise<void> => {
    const key = keys.spending(dayInSeoul(now()));
    const owners = new Map<string, number>();
    let cursor = '0';
    let looked = 0;
    do {
      const [next, entries] = await redis.hscan(key, cursor, 'COUNT', 500);
      cursor = next;
      looked += entries.length / 2;
      for (let i = 0; i < entries.length; i += 2) {
        const owner = /^owner:(.*)$/.exec(entries[i] ?? '')?.[1];
        if (owner !== undefined) owners.set(owner, Number(entries[i + 1]) / nanoUsd);
      }
    } while (cursor !== '0' && looked < mostFields);
    metrics.spendingToday.set(Number((await redis.hget(key, 'total')) ?? 0) / nanoUsd);
    metrics.ownersToday.set(owners.size);
    // Those who are no longer among the dearest, or of yesterday, must not stay.
    metrics.ownerSpendingToday.reset();
    const dearest = [...owners].toSorted(([, a], [, b]) => b - a).slice(0, mostOwners);
    for (const [owner, usd] of dearest) metrics.ownerSpendingToday.set({ owner }, usd);
  };
}

/** Streams of each state that are weighed: twenty tell the order of magnitude, which is what an alarm needs. */
const sampled = 20;

/** Exports how much memory the event streams take: the mean of a random sample, times their number. */
export function createEventStreamGauges({ redis, keys, metrics }: Omit<StoreGaugesOptions, 'now'>) {
  async function weigh(state: string, index: string): Promise<void> {
    const ids = (await redis.zrandmember(index, sampled)) as string[] | string | null;
    const streams = [ids ?? []].flat().map((id) => keys.events(id));
    const pipeline = redis.pipeline();
    for (const stream of streams) pipeline.memory('USAGE', stream);
    let bytes = 0;
    for (const [error, size] of (await pipeline.exec()) ?? []) {
      if (error) throw error;
      // One that is packed or gone weighs nothing.
      bytes += Number(size ?? 0);
    }
    const mean = streams.length === 0 ? 0 : bytes / streams.length;
    metrics.eventStreamBytes.set({ state }, Math.round(mean * (await redis.zcard(index))));
  }

  return async (): Promise<void> => {
    await weigh('open', keys.deadlines);
    await weigh('finished', keys.finished);
  };
}

/**
 * Exports what waits in the outbox of webhooks. Those who empty it cannot tell that nobody does: with WEBHOOKS=false
 * everywhere, or without a process that is up, events wait and nothing else shows it.
 */
export function createOutboxGauges({ redis, keys, metrics, now }: StoreGaugesOptions) {
  return async (): Promise<void> => {
    const firsts = await Promise.all(
      [keys.outbox, keys.outboxPostponed].map(async (key) => await redis.zrange(key, 0, '0', 'WITHSCORES')),
    );
    const times = firsts.flatMap(([, at]) => (at === undefined ? [] : [Number(at)]));
    metrics.outboxEvents.set(await redis.zcard(keys.outbox));
    metrics.outboxOldestSeconds.set(Math.max(0, now() - Math.min(now(), ...times)) / 1000);
  };
}
