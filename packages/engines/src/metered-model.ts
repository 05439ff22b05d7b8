import { nothingUsed, type Usage } from '@bunri/queue-contracts';
import {
  inSpan,
  PermanentError,
  RateLimitedError,
  TransientError,
  type Metrics,
  type SpanPlan,
  type TraceSpan,
} from '@bunri/runtime';
import type { InferenceEngine, Prediction, PredictOptions } from './engine.ts';
import { paidBefore, type PaidFor } from './paid-failure.ts';
import { costUsd, type Prices } from './prices.ts';

export interface MeteredModel<Task, Value> {
  readonly engine: Pick<InferenceEngine<Task, Value>, 'model' | 'server' | 'predict'>;
  readonly prices: Prices;
  readonly metrics: Metrics;
}

/**
 * One call of the model, counted and timed under its configured name: failed calls too, with the tokens of an answer that
 * was paid for and then refused; `usageBefore` tells these of the error.
 *
 * @throws what the engine throws, unchanged.
 */
export async function callMetered<Task, Value>(
  metered: MeteredModel<Task, Value>,
  task: Task,
  options: PredictOptions<Task>,
): Promise<Prediction<Value> & { usage: Usage }> {
  const { engine, metrics } = metered;
  const { model } = engine;
  const stopTimer = metrics.modelSeconds.startTimer({ model });
  return await inSpan(
    () => callSpan(engine),
    async (span) => {
      try {
        const [prediction] = await engine.predict([task], options);
        if (!prediction) throw new Error(`the engine of ${model} gave no prediction for a task`);
        const usage = account(metered, prediction);
        tellUsage(span, prediction);
        metrics.modelCalls.inc({ model, outcome: 'ok' });
        return { ...prediction, usage };
      } catch (error) {
        const paid = paidBefore(error);
        if (paid) {
          account(metered, paid);
          tellUsage(span, paid);
        }
        metrics.modelCalls.inc({ model, outcome: outcomeOf(error, options.signal) });
        throw error;
      } finally {
        stopTimer();
      }
    },
  );
}

/** By OpenTelemetry's conventions for generative AI, without their optional contents: neither prompt, photo nor answer. */
function callSpan({ model, server }: Pick<InferenceEngine<unknown, unknown>, 'model' | 'server'>): SpanPlan {
  if (!server) return { name: `infer ${model}`, attributes: { 'gen_ai.request.model': model } };
  return {
    name: `chat ${model}`,
    kind: 'client',
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': model,
      'server.address': server.address,
      'server.port': server.port,
    },
  };
}

function tellUsage(span: TraceSpan | null, { engine, tokens }: PaidFor): void {
  span?.set({
    'gen_ai.provider.name': engine.provider,
    'gen_ai.response.model': engine.model,
    'gen_ai.usage.input_tokens': tokens.input,
    'gen_ai.usage.cache_read.input_tokens': tokens.cachedInput,
    'gen_ai.usage.output_tokens': tokens.output,
  });
}

/** What a call of the model had cost when it failed; undefined where nothing is known of it. */
export function usageBefore(model: string, prices: Prices, error: unknown): Usage | undefined {
  const paid = paidBefore(error);
  return paid && usageOf(model, prices, paid);
}

function usageOf(model: string, prices: Prices, { tokens, engine: answeredBy }: PaidFor): Usage {
  if (answeredBy.provider === 'local') return nothingUsed;
  // By the configured name, which was priced at the start: an unknown alias must not fail an answer that is paid for.
  const cost = costUsd(prices, answeredBy.provider === 'simulator' ? answeredBy.model : model, tokens);
  return { input_tokens: tokens.input, output_tokens: tokens.output, cost_usd: cost };
}

function account<Task, Value>({ engine: { model }, prices, metrics }: MeteredModel<Task, Value>, paid: PaidFor): Usage {
  const { tokens } = paid;
  const usage = usageOf(model, prices, paid);
  metrics.modelTokens.inc({ model, direction: 'input' }, tokens.input);
  metrics.modelTokens.inc({ model, direction: 'cached_input' }, tokens.cachedInput);
  metrics.modelTokens.inc({ model, direction: 'output' }, tokens.output);
  metrics.modelCost.inc({ model }, usage.cost_usd);
  return usage;
}

function outcomeOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'aborted';
  if (error instanceof RateLimitedError) return 'rate_limited';
  if (error instanceof PermanentError || error instanceof TransientError) return error.code;
  return 'internal_error';
}
