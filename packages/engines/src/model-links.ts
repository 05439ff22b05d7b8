import type OpenAI from 'openai';
import {
  createCircuitBreaker,
  createModelBudget,
  modelName,
  PermanentError,
  type Logger,
  type Metrics,
  type ModelBudgetOptions,
  type ModelLimits,
} from '@bunri/runtime';
import { localName, readFallbacks, type ProviderName } from './fallback-setting.ts';
import { limitsMissed } from './limit-setting.ts';
import type { Chain, ChainLink } from './model-chain.ts';
import type { StructuredCall } from './model-request.ts';
import { createOpenAiClient } from './openai-responses.ts';
import { openAiEngine } from './openai.ts';
import { assertPriced, expectedTokens, type Prices } from './prices.ts';

interface ProviderSettings {
  readonly OPENAI_API_KEY?: string | undefined;
  readonly OPENAI_BASE_URL?: string | undefined;
  readonly FALLBACK_API_KEY?: string | undefined;
  readonly FALLBACK_BASE_URL?: string | undefined;
  readonly MODEL_PRICES: Prices;
  readonly MODEL_LIMITS: Readonly<Record<string, ModelLimits>>;
  readonly REDIS_PREFIX: string;
}

export interface ModelLinksOptions<Task, Value> {
  readonly settings: ProviderSettings;
  /** The first choice, at the primary provider; or `local`. */
  readonly model: string;
  /** Who stands in for it, as `readFallbacks` reads it. */
  readonly fallbacks: string;
  /** For a whole call, to the last byte of its answer. */
  readonly timeoutMs: number;
  /** `isFirst`: for the first choice, which may be told more than others understand. */
  readonly buildCall: (task: Task, isFirst: boolean) => StructuredCall<Value>;
  /** What the first choice alone is told, where that decides its answers. */
  readonly manner?: string | undefined;
  /** What answers to the name `local`; required where the settings name it. */
  readonly local?: ChainLink<Task, Value> | undefined;
  readonly redis: ModelBudgetOptions['redis'];
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface ModelLinks<Task, Value> {
  readonly chain: Chain<Task, Value>;
  /**
   * Any model of the primary provider, or `local`, alone.
   *
   * @throws PermanentError `model_request_rejected` when it has no price, or its provider no settings.
   */
  forModel(model: string): ChainLink<Task, Value>;
}

/** Replays name their models themselves, so that there might be any number of them. */
const mostOthers = 20;

/** The engines of a stage as its settings say, each with its breaker and its budget. */
export function createModelLinks<Task, Value>(options: ModelLinksOptions<Task, Value>): ModelLinks<Task, Value> {
  const { settings, model, fallbacks, local } = options;
  const clients = openClients(options);
  const link = (provider: ProviderName, name: string, isFirst = false): ChainLink<Task, Value> => {
    const client = clients[provider];
    if (!client) throw new Error(`the provider of ${provider}:${name} has no settings`);
    return createLink(options, { client, provider, model: name, isFirst });
  };
  const localLink = (): ChainLink<Task, Value> => {
    if (!local) throw new Error('the settings name the local model, and there is none');
    return local;
  };
  const chosen = readFallbacks(fallbacks);
  const first = model === localName ? localLink() : link('primary', model, true);
  const others = new Map<string, ChainLink<Task, Value>>();
  const remote = [...(model === localName ? [] : [model]), ...chosen.models.map((each) => each.model)];
  const missing = limitsMissed(settings.MODEL_LIMITS, remote);
  if (missing) options.log.warn('models are called without a limit, though MODEL_LIMITS has some', missing);
  return {
    chain: [
      first,
      ...chosen.models.map((each) => link(each.provider, each.model)),
      ...(chosen.local ? [localLink()] : []),
    ],
    forModel(name) {
      if (name === model) return first;
      if (name === localName && local) return local;
      const known = others.get(name);
      if (known) return known;
      assertPricedForReplay(settings.MODEL_PRICES, name);
      if (!clients.primary) throw new PermanentError('model_request_rejected', noProvider(name));
      const made = link('primary', name);
      const [oldest] = others.keys();
      if (oldest !== undefined && others.size >= mostOthers) others.delete(oldest);
      others.set(name, made);
      return made;
    },
  };
}

function openClients<Task, Value>({
  settings,
  timeoutMs,
}: ModelLinksOptions<Task, Value>): Partial<Record<ProviderName, OpenAI>> {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, FALLBACK_API_KEY, FALLBACK_BASE_URL } = settings;
  return {
    ...(apiKey ? { primary: createOpenAiClient({ apiKey, baseUrl, timeoutMs }) } : {}),
    ...(FALLBACK_API_KEY && FALLBACK_BASE_URL
      ? { fallback: createOpenAiClient({ apiKey: FALLBACK_API_KEY, baseUrl: FALLBACK_BASE_URL, timeoutMs }) }
      : {}),
  };
}

function noProvider(model: string): string {
  return `The model ${JSON.stringify(model)} cannot be asked, as this service has no key of a model API; its operator can set OPENAI_API_KEY.`;
}

function createLink<Task, Value>(
  { settings, buildCall, manner, redis, metrics, log }: ModelLinksOptions<Task, Value>,
  { client, provider, model, isFirst }: { client: OpenAI; provider: ProviderName; model: string; isFirst: boolean },
): ChainLink<Task, Value> {
  const name = modelName(provider, model);
  const shared = { redis, prefix: settings.REDIS_PREFIX, model: name, metrics };
  const limits = Object.hasOwn(settings.MODEL_LIMITS, model) ? settings.MODEL_LIMITS[model] : undefined;
  return {
    engine: openAiEngine({ client, model, buildCall: (task: Task) => buildCall(task, isFirst) }),
    name,
    identity: JSON.stringify([client.baseURL, model, (isFirst ? manner : undefined) ?? null]),
    breaker: createCircuitBreaker({ ...shared, log }),
    budget: createModelBudget({ ...shared, ...(limits && { limits }) }),
    expect: (task) => expectedTokens(buildCall(task, isFirst)),
  };
}

/**
 * For a replay, which names its models itself.
 *
 * @throws PermanentError `model_request_rejected` when the model has no price.
 */
export function assertPricedForReplay(prices: Prices, model: string): void {
  try {
    assertPriced(prices, model);
  } catch (error) {
    const message = `The model ${JSON.stringify(model)} has no price in MODEL_PRICES, so that it cannot be asked; name another, or have the operator of this service add it.`;
    throw new PermanentError('model_request_rejected', message, { cause: error });
  }
}
