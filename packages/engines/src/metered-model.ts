import type { Usage } from '@bunri/queue-contracts';
import { PermanentError, RateLimitedError, TransientError, type Metrics } from '@bunri/runtime';
import type { InferenceEngine, Prediction, PredictOptions } from './engine.ts';
import { costUsd, type Prices } from './prices.ts';

export interface MeteredModel<Task, Value> {
  readonly engine: InferenceEngine<Task, Value>;
  readonly prices: Prices;
  readonly metrics: Metrics;
}

/**
 * One call of the model, counted and timed under its configured name, failed calls too.
 *
 * @throws what the engine throws, unchanged.
 */
export async function callMetered<Task, Value>(
  { engine, prices, metrics }: MeteredModel<Task, Value>,
  task: Task,
  options: PredictOptions<Task>,
): Promise<Prediction<Value> & { usage: Usage }> {
  const { model } = engine;
  const stopTimer = metrics.modelSeconds.startTimer({ model });
  try {
    const [prediction] = await engine.predict([task], options);
    if (!prediction) throw new Error(`the engine of ${model} gave no prediction for a task`);
    const { input, cachedInput, output } = prediction.tokens;
    // By the configured name, which was priced at the start: an unknown alias must not fail an answer that is paid for.
    const { provider, model: answeredBy } = prediction.engine;
    const cost = costUsd(prices, provider === 'simulator' ? answeredBy : model, prediction.tokens);
    metrics.modelTokens.inc({ model, direction: 'input' }, input);
    metrics.modelTokens.inc({ model, direction: 'cached_input' }, cachedInput);
    metrics.modelTokens.inc({ model, direction: 'output' }, output);
    metrics.modelCost.inc({ model }, cost);
    metrics.modelCalls.inc({ model, outcome: 'ok' });
    return { ...prediction, usage: { input_tokens: input, output_tokens: output, cost_usd: cost } };
  } catch (error) {
    metrics.modelCalls.inc({ model, outcome: outcomeOf(error, options.signal) });
    throw error;
  } finally {
    stopTimer();
  }
}

function outcomeOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'aborted';
  if (error instanceof RateLimitedError) return 'rate_limited';
  if (error instanceof PermanentError || error instanceof TransientError) return error.code;
  return 'internal_error';
}
