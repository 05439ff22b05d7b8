import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { RateLimitedError } from './errors.ts';
import { createKeys } from './keys.ts';
import type { Metrics } from './metrics.ts';
import { budgetScripts } from './model-budget-scripts.ts';
import { StoreUnavailable } from './patient-records.ts';

/** What may be asked of a model in a minute; what is absent is not limited. */
export interface ModelLimits {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

/** What a provider tells in its `x-ratelimit-*` headers; absent fields were not told. Times in ms. */
export interface ToldLimits {
  readonly limitRequests?: number;
  readonly remainingRequests?: number;
  /** Until all of the limit remains again. */
  readonly resetRequestsMs?: number;
  readonly limitTokens?: number;
  readonly remainingTokens?: number;
  readonly resetTokensMs?: number;
}

export interface AdmittedCall {
  /**
   * After the call: what it really used (null: unknown, as of a failed call; the estimate stays charged), and what the
   * provider told. Only the first time counts. Never rejects: a correction that Redis did not take is counted, and the
   * next one makes up for it.
   */
  settle(tokens: number | null, told?: ToldLimits): Promise<void>;
  /** In place of `settle`, for a call that is not made after all. Never rejects. */
  giveBack(): Promise<void>;
}

export interface ModelBudget {
  /**
   * Admits one call of about `tokens` tokens, for all processes together: at once, or after a wait of at most a second in
   * place. What a process took that dies before its call is lost to the budget only until it has risen again.
   *
   * @throws RateLimitedError with the wait when that would be longer; nothing is taken then.
   * @throws the signal's reason when it is aborted; what was taken is given back.
   * @throws StoreUnavailable when Redis fails: a paid call is not made blind, and the job goes back without an attempt.
   */
  admit(call: { readonly tokens: number; readonly signal: AbortSignal }): Promise<AdmittedCall>;
  /**
   * The provider asked everybody to wait (429): nobody is admitted until then, whatever stage uses the model. Who was
   * admitted before, at most a second ago, is not called back. Never rejects; a pause that Redis did not take is counted.
   */
  pause(ms: number): Promise<void>;
}

export interface ModelBudgetOptions {
  readonly redis: Redis;
  readonly prefix: string;
  /** Names provider and model, as `modelName` does: whoever gives the same name shares the budget. */
  readonly model: string;
  readonly limits?: ModelLimits;
  readonly metrics: Metrics;
  /** Epoch ms of this process, for the metric of waits alone: the budget lives by Redis's clock. */
  readonly now?: () => number;
}

/** What a model's budget and breaker are called: the same model at another provider has its own. */
export function modelName(provider: 'primary' | 'fallback', model: string): string {
  return `${provider}:${model}`;
}

const longestWaitMs = 1_000;
/**
 * Providers tell limits of a day under the same names as those of a minute (OpenAI: requests, on the lower tiers). One
 * of a minute is whole again after a minute; with a margin for providers that let calls run up a debt.
 */
const longestResetMs = 120_000;

/**
 * The budget of a model that all processes share: a token bucket in Redis for requests and one for tokens, by the
 * configured limits and those that the provider tells, whichever is smaller. Without either nothing is limited but by
 * `pause`, at the price of one small script a call.
 */
export function createModelBudget(options: ModelBudgetOptions): ModelBudget {
  const { redis, prefix, model, limits, metrics, now = Date.now } = options;
  const key = createKeys(prefix).modelBudget(model);
  const configured = [limits?.requestsPerMinute ?? '', limits?.tokensPerMinute ?? ''] as const;
  const scripts = budgetScripts(redis);

  /** For what only makes the budget more exact: no call may fail for it. */
  async function orCount(what: 'give_back' | 'settle' | 'pause', work: Promise<unknown>): Promise<void> {
    await work.catch(() => metrics.modelBudgetLosses.inc({ model, what }));
  }

  async function waitInPlace(waitMs: number, signal: AbortSignal): Promise<void> {
    const startedAt = now();
    // An abort ends the wait; the caller looks at the signal.
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    metrics.modelBudgetWaitSeconds.observe({ model }, Math.max(0, now() - startedAt) / 1000);
  }

  async function ask(tokens: number): Promise<Reply> {
    const reply = await scripts.admit(key, ...configured, tokens, longestWaitMs).catch((error: unknown) => {
      throw new StoreUnavailable('the budget of the model could not be asked', { cause: error });
    });
    const answer = readReply(reply);
    const { requestsLevel, tokensLevel } = answer;
    if (requestsLevel !== '') metrics.modelBudgetLevel.set({ model, unit: 'requests' }, Number(requestsLevel));
    if (tokensLevel !== '') metrics.modelBudgetLevel.set({ model, unit: 'tokens' }, Number(tokensLevel));
    return answer;
  }

  return {
    async admit({ tokens, signal }) {
      if (!(tokens >= 0 && tokens < Infinity)) throw new RangeError(`a call cannot have ${tokens} tokens`);
      signal.throwIfAborted();
      const answer = await ask(tokens);
      if (answer.outcome !== 'admitted') {
        metrics.modelBudgetRefusals.inc({ model, reason: answer.outcome });
        throw new RateLimitedError(answer.waitMs, `The budget of ${model} is used up for now.`);
      }
      const giveBack = async () => await orCount('give_back', scripts.giveBack(key, ...configured, tokens));
      if (answer.waitMs > 0) await waitInPlace(answer.waitMs, signal);
      if (signal.aborted) {
        await giveBack();
        signal.throwIfAborted();
      }
      let isSettled = false;
      return {
        async giveBack() {
          if (isSettled) return;
          isSettled = true;
          await giveBack();
        },
        async settle(used, told) {
          if (isSettled) return;
          isSettled = true;
          const changes = settlement(answer, tokens, used, told);
          if (changes !== undefined) await orCount('settle', scripts.settle(key, ...configured, ...changes));
        },
      };
    },

    async pause(ms) {
      if (ms > 0 && ms < Infinity) await orCount('pause', scripts.pause(key, ...configured, ms));
    },
  };
}

/** What the script is to be told of a call that has ended; undefined where that changes nothing. */
function settlement(
  { at, requestsSpent, tokensSpent }: Reply,
  estimated: number,
  used: number | null,
  told: ToldLimits | undefined,
): (string | number)[] | undefined {
  const beyond = used !== null && Number.isFinite(used) ? used - estimated : 0;
  const isLimited = requestsSpent !== '' || tokensSpent !== '';
  if (told === undefined && (beyond === 0 || !isLimited)) return undefined;
  const requests = [toldLimit(told?.limitRequests, told?.resetRequestsMs), told?.remainingRequests ?? ''];
  const tokens = [toldLimit(told?.limitTokens, told?.resetTokensMs), told?.remainingTokens ?? ''];
  return [beyond, estimated, at, requestsSpent, ...requests, tokensSpent, ...tokens];
}

/** A limit of a minute, 0 for another, '' for none. */
function toldLimit(limit: number | undefined, resetMs = 0): number | '' {
  if (limit === undefined || limit <= 0) return '';
  return resetMs > longestResetMs ? 0 : limit;
}

interface Reply {
  readonly outcome: string;
  readonly waitMs: number;
  /** Redis's clock, epoch ms. */
  readonly at: string;
  readonly requestsLevel: string;
  readonly requestsSpent: string;
  readonly tokensLevel: string;
  readonly tokensSpent: string;
}

function readReply(reply: readonly string[]): Reply {
  const [outcome = '', waitMs, at = '', requestsLevel = '', requestsSpent = '', tokensLevel = '', tokensSpent = ''] =
    reply;
  return { outcome, waitMs: Math.ceil(Number(waitMs)), at, requestsLevel, requestsSpent, tokensLevel, tokensSpent };
}
