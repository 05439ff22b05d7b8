import type { Redis } from 'ioredis';
import { stageNames, stages, type StageName, type Usage } from '@bunri/queue-contracts';
import { DeferredError, PermanentError } from './errors.ts';
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

/** What one call may cost, counted before it is made. */
export interface Reservation {
  /**
   * Puts what was paid in the place of what was reserved, and counts it in the statistics of the day. Without a usage nobody
   * knows what was paid, as for a call that was aborted: then what was reserved stays. Only the first call counts; never
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
   * Counts what a call may cost at most, unless a cap would be passed by it. What costs nothing is never refused.
   *
   * @throws PermanentError `spending_cap_reached`; DeferredError when the call may yet fit, once those in flight have told
   * what they really cost; StoreUnavailable when it cannot be counted.
   */
  reserve(call: { owner: string; stage: StageName; usd: number }): Promise<Reservation>;
  spent(owner: string): Promise<Spent>;
}

/** Who pays for replays in the place of the original's owner, all of them together. No owner's name has a colon. */
export const replayAccount = 'replay:';

const dayMs = 24 * 3600 * 1000;
/** Days are looked at until they end; two more are for people. */
const retentionMs = 3 * dayMs;

/** The others cost nothing. */
const paidStages = stageNames.filter((stage) => stages[stage].resource === 'network');

/**
 * Reservations are also counted as pending until they are settled, by the slot of time in which they were made. A call is
 * over before the slot after its own ends, so that only this slot and the one before are looked at: what a killed call
 * left there is taken for spent after one to two minutes, and at once by everything but the question whether to wait.
 */
const slotMs = Math.max(...paidStages.map((stage) => stages[stage].timeoutMs)) + 15_000;

/**
 * KEYS 1 spending of the day. ARGV 1 owner's field, 2 stage's field, 3 reserved, 4 owner's cap or '', 5 the day's cap or '',
 * 6 retention ms, 7 and 8 the owner's pending fields of this slot and of the one before, 9 and 10 the day's. All amounts
 * are nano-dollars. Answers reserved, owner or day, or pending where the cap holds only until others are settled. The
 * stage's field keeps the least that was reserved for a call of the stage: `spent` goes by it.
 */
const reserveScript = `
local amount = tonumber(ARGV[3])
if amount == 0 then return 'reserved' end
local known = redis.call('HMGET', KEYS[1], ARGV[1], 'total', ARGV[2], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
local function at(i) return tonumber(known[i] or 0) end
local ownerBeyond = ARGV[4] == '' and 0 or at(1) + amount - tonumber(ARGV[4])
local dayBeyond = ARGV[5] == '' and 0 or at(2) + amount - tonumber(ARGV[5])
if ownerBeyond > 0 and ownerBeyond > at(4) + at(5) then return 'owner' end
if dayBeyond > 0 and dayBeyond > at(6) + at(7) then return 'day' end
if ownerBeyond > 0 or dayBeyond > 0 then return 'pending' end
if not known[3] or amount < at(3) then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
for _, field in ipairs({ARGV[1], 'total', ARGV[7], ARGV[9]}) do redis.call('HINCRBY', KEYS[1], field, ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 'reserved'`;

/** KEYS 1 spending of the reservation's day, 2 statistics of today. ARGV 1 owner's field, 2 correction, 3 retention ms,
 * 4 that of the statistics, 5 and 6 the pending fields of the reservation, 7 reserved, then counter and amount pairs. */
const settleScript = `
if ARGV[7] ~= '0' then
  for i = 5, 6 do
    if redis.call('HINCRBY', KEYS[1], ARGV[i], '-' .. ARGV[7]) <= 0 then redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
end
if ARGV[2] ~= '0' then
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'total', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
for i = 8, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
if #ARGV > 7 then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
return 'OK'`;

/** What models cost by owner and day, and the caps on it, counted in one place for all processes. */
export function createSpending(options: {
  redis: Redis;
  prefix: string;
  caps: SpendingCaps;
  metrics: Metrics;
  log: Logger;
  now?: () => number;
  random?: () => number;
}): Spending {
  const { redis, prefix, caps, metrics, log, now = Date.now, random = Math.random } = options;
  const keys = createKeys(prefix);
  if (caps.totalUsd !== undefined) metrics.spendingCap.set({ cap: 'day' }, caps.totalUsd);
  if (caps.ownerUsd !== undefined) metrics.spendingCap.set({ cap: 'owner' }, caps.ownerUsd);
  redis.defineCommand('bunri_spendingReserve', { lua: reserveScript, numberOfKeys: 1 });
  redis.defineCommand('bunri_spendingSettle', { lua: settleScript, numberOfKeys: 2 });
  const scripts = redis as unknown as {
    bunri_spendingReserve(key: string, ...args: (string | number)[]): Promise<string>;
    bunri_spendingSettle(key: string, statistics: string, ...args: (string | number)[]): Promise<string>;
  };

  function reservation(owner: string, stage: StageName, reservedAt: number, reserved: number): Reservation {
    const key = keys.spending(dayInSeoul(reservedAt));
    const [ofOwner] = pendingFields(`pending:${owner}`, reservedAt);
    const [ofDay] = pendingFields('pending', reservedAt);
    let settled = false;
    return {
      async settle(paid) {
        if (settled) return;
        settled = true;
        const correction = paid ? toNano(paid.cost_usd) - reserved : 0;
        const counters = Object.entries(paid ? paymentCounters(stage, paid) : {}).filter(([, amount]) => amount > 0);
        if (reserved === 0 && correction === 0 && counters.length === 0) return;
        const pending = [ofOwner, ofDay, reserved];
        const args = [ownerField(owner), correction, retentionMs, statisticsTtlMs, ...pending, ...counters.flat()];
        await scripts
          .bunri_spendingSettle(key, keys.statistics(dayInSeoul(now())), ...args)
          .catch((error: unknown) => log.error('a payment could not be counted', { stage, ...paid, error }));
      },
    };
  }

  return {
    async reserve({ owner, stage, usd }) {
      const reserved = toNano(usd);
      const at = now();
      const key = keys.spending(dayInSeoul(at));
      const pending = [...pendingFields(`pending:${owner}`, at), ...pendingFields('pending', at)];
      const limits = [caps.ownerUsd, caps.totalUsd].map((cap) => (cap === undefined ? '' : toNano(cap)));
      const answer = await scripts
        .bunri_spendingReserve(key, ownerField(owner), stageField(stage), reserved, ...limits, retentionMs, ...pending)
        .catch((error: unknown) => {
          // Nothing is paid for yet, and uncounted it might pass the cap: the job goes back unharmed.
          throw new StoreUnavailable('the cost of a call could not be reserved', { cause: error });
        });
      if (answer === 'reserved') return reservation(owner, stage, at, reserved);
      if (answer === 'pending') {
        throw new DeferredError(1_000 + 1_000 * random(), 'Calls in flight hold what is left under a spending cap.');
      }
      metrics.spendingRefusals.inc({ cap: answer });
      throw new PermanentError('spending_cap_reached', capMessage(answer === 'owner' ? 'owner' : 'day', at));
    },

    async spent(owner) {
      const at = now();
      const pending = [...pendingFields(`pending:${owner}`, at), ...pendingFields('pending', at)];
      const fields = [ownerField(owner), 'total', ...pending, ...paidStages.map(stageField)];
      const amounts = await redis.hmget(keys.spending(dayInSeoul(at)), ...fields);
      const [ofOwner = 0, total = 0, owner1 = 0, owner2 = 0, day1 = 0, day2 = 0, ...least] = amounts.map((amount) =>
        Number(amount ?? 0),
      );
      // A request needs the dearest of its stages to fit; what calls in flight hold may come back.
      const needed = Math.max(1, ...least);
      const full = (settled: number, cap: number | undefined) =>
        cap !== undefined && settled > 0 && settled + needed > toNano(cap);
      return {
        ownerUsd: ofOwner / nanoUsd,
        totalUsd: total / nanoUsd,
        exhausted: full(total - day1 - day2, caps.totalUsd)
          ? 'day'
          : full(ofOwner - owner1 - owner2, caps.ownerUsd)
            ? 'owner'
            : null,
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

/** Of the slot of `at` and of the one before. */
function pendingFields(name: string, at: number): [string, string] {
  const slot = Math.floor(at / slotMs);
  return [`${name}:${slot}`, `${name}:${slot - 1}`];
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
