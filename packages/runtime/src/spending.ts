import type { Redis } from 'ioredis';
import { stageNames, type StageName, type Usage } from '@bunri/queue-contracts';
import { PermanentError } from './errors.ts';
import { createKeys, dayInSeoul } from './keys.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { StoreUnavailable } from './patient-records.ts';
import { nanoUsd, paymentCounters, statisticsTtlMs } from './statistics.ts';

/** US dollars a day in Seoul; a cap that is not given does not bind. */
export interface SpendingCaps {
  readonly totalUsd?: number | undefined;
  readonly ownerUsd?: number | undefined;
}

/** The expected cost of one call, counted before it is made. */
export interface Reservation {
  /**
   * Puts what was paid in the place of what was expected, and counts it in the statistics of the day. Without a usage nobody
   * knows what was paid, as for a call that was aborted: then the expected cost stays. Only the first call counts; never
   * rejects.
   */
  settle(paid?: Usage): Promise<void>;
}

export interface Spent {
  readonly ownerUsd: number;
  readonly totalUsd: number;
  /** The cap that leaves no room for another request like those of today. */
  readonly exhausted: 'owner' | 'day' | null;
  /** When the day of the caps ends, epoch ms. */
  readonly reopensAt: number;
}

export interface Spending {
  /**
   * Counts an expected cost, unless a cap would be passed by it. What costs nothing is never refused.
   *
   * @throws PermanentError `spending_cap_reached`, and StoreUnavailable when it cannot be counted.
   */
  reserve(call: { owner: string; stage: StageName; usd: number }): Promise<Reservation>;
  spent(owner: string): Promise<Spent>;
}

const dayMs = 24 * 3600 * 1000;
/** Days are looked at until they end; two more are for people. */
const retentionMs = 3 * dayMs;

/**
 * KEYS 1 spending of the day. ARGV 1 owner's field, 2 stage's field, 3 expected, 4 owner's cap or '', 5 the day's cap or '',
 * 6 retention ms. All amounts are nano-dollars. Answers reserved, owner or day. The stage's field keeps the least that was
 * expected of a call of the stage: `spent` goes by it.
 */
const reserveScript = `
local expected = tonumber(ARGV[3])
if expected == 0 then return 'reserved' end
local spent = redis.call('HMGET', KEYS[1], ARGV[1], 'total', ARGV[2])
if not spent[3] or expected < tonumber(spent[3]) then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if ARGV[4] ~= '' and tonumber(spent[1] or 0) + expected > tonumber(ARGV[4]) then return 'owner' end
if ARGV[5] ~= '' and tonumber(spent[2] or 0) + expected > tonumber(ARGV[5]) then return 'day' end
redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[3])
redis.call('HINCRBY', KEYS[1], 'total', ARGV[3])
return 'reserved'`;

/** KEYS 1 spending of the reservation's day, 2 statistics of today. ARGV 1 owner's field, 2 correction, 3 retention ms,
 * 4 that of the statistics, then counter and amount pairs. */
const settleScript = `
if ARGV[2] ~= '0' then
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'total', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
if #ARGV > 5 then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
return 'OK'`;

/** What models cost by owner and day, and the caps on it, counted in one place for all processes. */
export function createSpending(options: {
  redis: Redis;
  prefix: string;
  caps: SpendingCaps;
  metrics: Metrics;
  log: Logger;
  now?: () => number;
}): Spending {
  const { redis, prefix, caps, metrics, log, now = Date.now } = options;
  const keys = createKeys(prefix);
  redis.defineCommand('bunri_spendingReserve', { lua: reserveScript, numberOfKeys: 1 });
  redis.defineCommand('bunri_spendingSettle', { lua: settleScript, numberOfKeys: 2 });
  const scripts = redis as unknown as {
    bunri_spendingReserve(key: string, ...args: (string | number)[]): Promise<string>;
    bunri_spendingSettle(key: string, statistics: string, ...args: (string | number)[]): Promise<string>;
  };

  function reservation(owner: string, stage: StageName, key: string, expected: number): Reservation {
    let settled = false;
    return {
      async settle(paid) {
        if (settled || paid === undefined) return;
        settled = true;
        const correction = toNano(paid.cost_usd) - expected;
        const counters = Object.entries(paymentCounters(stage, paid)).filter(([, amount]) => amount > 0);
        if (correction === 0 && counters.length === 0) return;
        const args = [ownerField(owner), correction, retentionMs, statisticsTtlMs, ...counters.flat()];
        await scripts
          .bunri_spendingSettle(key, keys.statistics(dayInSeoul(now())), ...args)
          .catch((error: unknown) => log.error('a payment could not be counted', { stage, ...paid, error }));
      },
    };
  }

  return {
    async reserve({ owner, stage, usd }) {
      const expected = toNano(usd);
      const at = now();
      const key = keys.spending(dayInSeoul(at));
      const limits = [caps.ownerUsd, caps.totalUsd].map((cap) => (cap === undefined ? '' : toNano(cap)));
      const answer = await scripts
        .bunri_spendingReserve(key, ownerField(owner), stageField(stage), expected, ...limits, retentionMs)
        .catch((error: unknown) => {
          // Nothing is paid for yet, and uncounted it might pass the cap: the job goes back unharmed.
          throw new StoreUnavailable('the cost of a call could not be reserved', { cause: error });
        });
      if (answer === 'reserved') return reservation(owner, stage, key, expected);
      metrics.spendingRefusals.inc({ cap: answer });
      throw new PermanentError('spending_cap_reached', capMessage(answer === 'owner' ? 'owner' : 'day', at));
    },

    async spent(owner) {
      const at = now();
      const fields = [ownerField(owner), 'total', ...stageNames.map(stageField)];
      const amounts = await redis.hmget(keys.spending(dayInSeoul(at)), ...fields);
      const [ofOwner = 0, total = 0, ...least] = amounts.map((amount) => Number(amount ?? 0));
      // A request needs the dearest of its stages to fit.
      const needed = Math.max(1, ...least);
      const full = (spent: number, cap: number | undefined) => cap !== undefined && spent + needed > toNano(cap);
      return {
        ownerUsd: ofOwner / nanoUsd,
        totalUsd: total / nanoUsd,
        exhausted: full(total, caps.totalUsd) ? 'day' : full(ofOwner, caps.ownerUsd) ? 'owner' : null,
        reopensAt: endOfDay(at),
      };
    },
  };
}

function toNano(usd: number): number {
  return Math.round(usd * nanoUsd);
}

function ownerField(owner: string): string {
  return `owner:${owner}`;
}

function stageField(stage: StageName): string {
  return `least:${stage}`;
}

/** Midnight in Seoul that ends the day of `at`. */
function endOfDay(at: number): number {
  return Date.parse(`${dayInSeoul(at)}T00:00:00+09:00`) + dayMs;
}

/** Shown to clients. */
export function capMessage(cap: 'owner' | 'day', at: number): string {
  const whose = cap === 'owner' ? 'your spending cap of the day' : "this service's spending cap of the day";
  const time = new Date(endOfDay(at)).toISOString();
  return `No more models can be asked under ${whose}; it opens again at ${time}, midnight in Seoul. Send the request again then.`;
}
