import type { Redis } from 'ioredis';
import { dailyCsv, dailyKey, dailyObjectKey, dayInSeoul, summariseDay, type Keys, type Storage } from '@bunri/runtime';
import type { Task } from '../task.ts';

export interface DailyStatisticsDeps {
  readonly redis: Redis;
  readonly keys: Pick<Keys, 'statistics'>;
  readonly prefix: string;
  readonly storage: Pick<Storage, 'put'>;
}

const dayMs = 24 * 3600 * 1000;
/** Days that are looked at again, in case no scheduler ran when they were due. */
const catchUpDays = 7;

/**
 * Writes the document of the day before the tick to Redis and to the bucket, there as CSV too, and those of the week before
 * it that are missing. Seoul has no daylight saving time, so that the day before is 24 hours earlier.
 */
export function dailyStatistics({ redis, keys, prefix, storage }: DailyStatisticsDeps): Task {
  async function write(day: string, signal: AbortSignal): Promise<void> {
    const document = summariseDay(day, await redis.hgetall(keys.statistics(day)));
    const text = JSON.stringify(document);
    await storage.put(dailyObjectKey(day, 'csv'), Buffer.from(dailyCsv([document])), 'text/csv', signal);
    await storage.put(dailyObjectKey(day), Buffer.from(text), 'application/json', signal);
    // Redis last: what is there has also been archived.
    await redis.set(dailyKey(prefix, day), text);
  }

  return async ({ scheduledAt, signal }) => {
    let written = 0;
    for (let ago = catchUpDays; ago >= 1; ago -= 1) {
      const day = dayInSeoul(scheduledAt - ago * dayMs);
      const due = ago === 1 || (await isMissing(day));
      if (!due) continue;
      await write(day, signal);
      written += 1;
    }
    return { written };
  };

  async function isMissing(day: string): Promise<boolean> {
    return (await redis.exists(keys.statistics(day))) === 1 && (await redis.exists(dailyKey(prefix, day))) === 0;
  }
}
