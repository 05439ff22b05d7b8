import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { failureCodes, type FailureCode } from '@bunri/queue-contracts';
import { breakerVerdict, openingCodes } from './breaker-verdict.ts';
import { createKeys } from './keys.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

/**
 * One breaker a model, shared by all processes. Closed: every call is admitted. After several failures in a row, or one
 * that no repetition cures, it opens: no call is admitted for a while. Then it is half-open: one call at a time over all
 * processes is admitted as a probe; its success closes the breaker, its failure opens it again for twice as long.
 *
 * Every opening and every closing begins another epoch, and a call's end counts only in the epoch that it began in. So a
 * slow failure from before the breaker closed does not open it again, and a slow success from before it opened does not
 * close it.
 *
 * KEYS 1 the breaker: epoch, failures (in a row, while closed), and unless closed: until (open, epoch ms), openMs, code,
 * probe, probeUntil (lease of the probe). Times are Redis's own.
 */
const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** ARGV 1 token of a probe, 2 its lease in ms, 3 window ms, 4 retention ms. Answers closed, open, probing or probe, then epoch, code and ms left. */
const admitScript = `${clock}
local state = redis.call('HMGET', KEYS[1], 'epoch', 'until', 'code', 'probeUntil')
local epoch = state[1] or '0'
if not state[2] then
  local since = redis.call('HGET', KEYS[1], 'since')
  if not since or now - tonumber(since) > tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'since', now, 'begun', 0, 'failures', 0)
  end
  redis.call('HINCRBY', KEYS[1], 'begun', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return {'closed', epoch, '', '0'}
end
local left = tonumber(state[2]) - now
if left > 0 then return {'open', epoch, state[3], tostring(left)} end
if state[4] and tonumber(state[4]) > now then return {'probing', epoch, state[3], '0'} end
redis.call('HSET', KEYS[1], 'probe', ARGV[1], 'probeUntil', now + ARGV[2])
return {'probe', epoch, state[3], '0'}`;

/** ARGV 1 token of a probe, 2 its lease in ms. */
const renewScript = `${clock}
if redis.call('HGET', KEYS[1], 'probe') ~= ARGV[1] then return 0 end
return redis.call('HSET', KEYS[1], 'probeUntil', now + ARGV[2])`;

/** ARGV 1 epoch of the call, 2 its probe's token or '', 3 verdict, 4 code, 5 failures that open, 6 first open ms,
 * 7 longest open ms, 8 retention ms. Answers unchanged, closed, opened or reopened, then the ms that it is open. */
const settleScript = `${clock}
local state = redis.call('HMGET', KEYS[1], 'epoch', 'until', 'openMs', 'probe', 'begun')
if (state[1] or '0') ~= ARGV[1] then return {'unchanged', '0'} end
local notClosed, isProbe = state[2], ARGV[2] ~= '' and state[4] == ARGV[2]
if ARGV[3] == 'nothing' then
  if isProbe then redis.call('HDEL', KEYS[1], 'probe', 'probeUntil') end
  if not notClosed and state[5] then redis.call('HINCRBY', KEYS[1], 'begun', -1) end
  return {'unchanged', '0'}
end
if ARGV[3] == 'success' then
  if notClosed then
    redis.call('HDEL', KEYS[1], 'until', 'openMs', 'code', 'probe', 'probeUntil', 'failures', 'begun', 'since')
    redis.call('HINCRBY', KEYS[1], 'epoch', 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[8])
    return {'closed', '0'}
  end
  return {'unchanged', '0'}
end
local openMs = tonumber(ARGV[6])
if notClosed then
  if not isProbe then return {'unchanged', '0'} end
  openMs = math.max(openMs, 2 * tonumber(state[3]))
else
  local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
  local few = failures < tonumber(ARGV[5]) or failures * 2 < tonumber(state[5] or 0)
  if ARGV[3] == 'failure' and few then return {'unchanged', '0'} end
end
openMs = math.min(openMs, tonumber(ARGV[7]))
redis.call('HDEL', KEYS[1], 'probe', 'probeUntil', 'failures', 'begun', 'since')
redis.call('HSET', KEYS[1], 'until', now + openMs, 'openMs', openMs, 'code', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[8])
return {notClosed and 'reopened' or 'opened', tostring(openMs)}`;

export interface BreakerTimes {
  /** For the first opening after failures in a row, ms. */
  readonly openMs: number;
  /** For the first opening after a failure that only an operator can cure, ms. */
  readonly blockedMs: number;
  readonly longestMs: number;
  /** How long a probe counts without a sign of life of its process, ms. */
  readonly probeLeaseMs: number;
}

const defaultTimes: BreakerTimes = { openMs: 5_000, blockedMs: 30_000, longestMs: 30_000, probeLeaseMs: 9_000 };
/**
 * So many failures open, if they are half of the calls begun in the window too. Failures in a row would not do: they come
 * back at once and successes after seconds, so that of many calls in flight the few that fail are the first in a row.
 */
const failuresThatOpen = 5;
const windowMs = 10_000;
/** While somebody else's probe is in flight, ms. Whoever is refused is put back into its queue, which is not for free. */
const probingWaitMs = 3_000;
/** A breaker that nobody has asked for so long is forgotten. */
const retentionMs = 24 * 3600 * 1000;
/** A probe that was never settled must not be kept alive for ever by its process. */
const mostRenewals = 40;

const stateNumbers = { closed: 0, 'half-open': 1, open: 2 };

/** A call that the breaker let through. It must be settled once, by either method; neither rejects. */
export interface AdmittedByBreaker {
  succeeded(): Promise<void>;
  /** What the error says about the model decides; most say nothing. */
  failed(error: unknown): Promise<void>;
}

export type BreakerAnswer =
  | { readonly admitted: true; readonly call: AdmittedByBreaker }
  /** `code` is what it opened with; `waitMs` is when to ask again. */
  | { readonly admitted: false; readonly code: FailureCode; readonly waitMs: number };

export interface CircuitBreaker {
  /** Whether it was closed when this process last heard of it. */
  readonly wasClosed: boolean;
  /** Never rejects: a breaker that cannot be read counts as closed. */
  admit(): Promise<BreakerAnswer>;
}

/** The breaker of a model; `model` names it and its provider, as `primary:gpt-5`. */
export function createCircuitBreaker(options: {
  redis: Redis;
  prefix: string;
  model: string;
  metrics: Metrics;
  log: Logger;
  times?: Partial<BreakerTimes>;
}): CircuitBreaker {
  const { redis, prefix, model, metrics, log } = options;
  const times = { ...defaultTimes, ...options.times };
  const key = createKeys(prefix).breaker(model);
  // A counter that appears with its first opening has not risen, as Prometheus sees it.
  for (const code of openingCodes) metrics.breakerOpenings.inc({ model, code }, 0);
  redis.defineCommand('bunri_breakerAdmit', { lua: admitScript, numberOfKeys: 1 });
  redis.defineCommand('bunri_breakerRenew', { lua: renewScript, numberOfKeys: 1 });
  redis.defineCommand('bunri_breakerSettle', { lua: settleScript, numberOfKeys: 1 });
  const scripts = redis as unknown as {
    bunri_breakerAdmit(key: string, ...args: (string | number)[]): Promise<[string, string, string, string]>;
    bunri_breakerRenew(key: string, ...args: (string | number)[]): Promise<number>;
    bunri_breakerSettle(key: string, ...args: (string | number)[]): Promise<[string, string]>;
  };

  const troubled = (error: unknown) => {
    metrics.breakerTrouble.inc({ model });
    log.warn('the circuit breaker cannot be used; it counts as closed', { model, error });
  };

  function keepAlive(probe: string): NodeJS.Timeout {
    let renewals = 0;
    const timer = setInterval(() => {
      renewals += 1;
      if (renewals > mostRenewals) clearInterval(timer);
      else scripts.bunri_breakerRenew(key, probe, times.probeLeaseMs).catch(troubled);
    }, times.probeLeaseMs / 3);
    return timer.unref();
  }

  function admitted(epoch: string, probe: string): AdmittedByBreaker {
    const alive = probe === '' ? undefined : keepAlive(probe);
    const settle = async (verdict: string, code: string) => {
      clearInterval(alive);
      const firstMs = verdict === 'blocked' ? times.blockedMs : times.openMs;
      const limits = [failuresThatOpen, firstMs, times.longestMs, retentionMs];
      try {
        const [change, openMs] = await scripts.bunri_breakerSettle(key, epoch, probe, verdict, code, ...limits);
        tell(change, code, Number(openMs));
      } catch (error) {
        troubled(error);
      }
    };
    return {
      succeeded: async () => await settle('success', ''),
      failed: async (error) => {
        const { verdict, code } = breakerVerdict(error);
        await settle(verdict, code);
      },
    };
  }

  let wasClosed = false;

  function show(state: keyof typeof stateNumbers, openMs = 0): void {
    wasClosed = state === 'closed';
    metrics.breakerState.set({ model }, stateNumbers[state]);
    if (state === 'open') metrics.breakerOpenUntil.set(model, Date.now() + openMs);
    else metrics.breakerOpenUntil.delete(model);
  }

  function tell(change: string, code: string, openMs: number): void {
    if (change === 'closed') {
      show('closed');
      log.info('the circuit breaker has closed', { model });
    } else if (change === 'opened' || change === 'reopened') {
      show('open', openMs);
      if (change === 'reopened')
        return void log.warn('the circuit breaker stays open', { model, code, open_ms: openMs });
      metrics.breakerOpenings.inc({ model, code });
      log.error('the circuit breaker has opened: the model is not called', { model, code, open_ms: openMs });
    }
  }

  return {
    get wasClosed() {
      return wasClosed;
    },
    async admit() {
      const token = randomUUID();
      try {
        const [state, epoch, code, leftMs] = await scripts.bunri_breakerAdmit(
          key,
          token,
          times.probeLeaseMs,
          windowMs,
          retentionMs,
        );
        const opened = failureCodes.find((known) => known === code) ?? 'model_unavailable';
        switch (state) {
          case 'open':
            show('open', Number(leftMs));
            return { admitted: false, code: opened, waitMs: Number(leftMs) };
          case 'probing':
            show('half-open');
            return { admitted: false, code: opened, waitMs: probingWaitMs };
          case 'probe':
            show('half-open');
            return { admitted: true, call: admitted(epoch, token) };
          default:
            show('closed');
            return { admitted: true, call: admitted(epoch, '') };
        }
      } catch (error) {
        troubled(error);
        return { admitted: true, call: { succeeded: async () => {}, failed: async () => {} } };
      }
    },
  };
}
