import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** From a no-op of a few ms to the longest stage timeout. */
export const stageBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 20, 45];

/** The instruments of models: calls of remote ones, what bounds them, and local ones. */
export function modelMetrics(registers: Registry[]) {
  const breakerOpenUntil = new Map<string, number>();
  const localModelBytes = new Map<string, () => number>();
  return {
    /** Reads the bytes that each local model of this process holds; 0 while it is not loaded. */
    localModelBytes,
    /** Until when each open breaker is known to be open, epoch ms by model. */
    breakerOpenUntil,
    modelCalls: new Counter({
      name: 'bunri_model_calls_total',
      help: 'Calls of a model by outcome: ok or the failure code.',
      labelNames: ['model', 'outcome'],
      registers,
    }),
    modelSeconds: new Histogram({
      name: 'bunri_model_call_seconds',
      help: 'Time of a model call, failed ones included.',
      labelNames: ['model'],
      buckets: stageBuckets,
      registers,
    }),
    modelTokens: new Counter({
      name: 'bunri_model_tokens_total',
      help: 'Tokens as the provider counted them, by direction: input, cached_input (part of input), output.',
      labelNames: ['model', 'direction'],
      registers,
    }),
    modelCost: new Counter({
      name: 'bunri_model_cost_usd_total',
      help: 'Cost of model calls by the configured price table.',
      labelNames: ['model'],
      registers,
    }),
    breakerState: new Gauge({
      name: 'bunri_breaker_state',
      help: 'Circuit breaker of a model as this process knows it: 0 closed, 1 half-open (the next call decides), 2 open.',
      labelNames: ['model'],
      registers,
      collect() {
        for (const [model, until] of breakerOpenUntil) {
          if (Date.now() < until) continue;
          this.set({ model }, 1);
          breakerOpenUntil.delete(model);
        }
      },
    }),
    breakerOpenings: new Counter({
      name: 'bunri_breaker_openings_total',
      help: 'Openings of a circuit breaker by the failure code that opened it; each is counted by one process.',
      labelNames: ['model', 'code'],
      registers,
    }),
    breakerTrouble: new Counter({
      name: 'bunri_breaker_trouble_total',
      help: 'Times that a circuit breaker could not be read or written, and counted as closed.',
      labelNames: ['model'],
      registers,
    }),
    degradedAnswers: new Counter({
      name: 'bunri_degraded_answers_total',
      help: 'Outputs of a stage that a fallback made, by why the first choice did not.',
      labelNames: ['stage', 'code'],
      registers,
    }),
    spendingRefusals: new Counter({
      name: 'bunri_spending_refusals_total',
      help: 'Model calls that were not made because a spending cap is reached: of the day or of the owner.',
      labelNames: ['cap'],
      registers,
    }),
    spendingCap: new Gauge({
      name: 'bunri_spending_cap_usd',
      help: 'What models may cost a day by the settings of this process: of the day, all together, or of one owner. Absent without a cap.',
      labelNames: ['cap'],
      registers,
    }),
    modelBudgetWaitSeconds: new Histogram({
      name: 'bunri_model_budget_wait_seconds',
      help: 'Time that a call waited in place for its turn in the budget of its model; calls that did not wait are not in it.',
      labelNames: ['model'],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1],
      registers,
    }),
    modelBudgetRefusals: new Counter({
      name: 'bunri_model_budget_refusals_total',
      help: 'Calls that were put back before they were made: paused by the provider, or spent, the limit being used up.',
      labelNames: ['model', 'reason'],
      registers,
    }),
    modelBudgetLevel: new Gauge({
      name: 'bunri_model_budget_level',
      help: 'What the budget of a model had left, in requests and tokens, when this process last asked it; below 0 is promised.',
      labelNames: ['model', 'unit'],
      registers,
    }),
    modelBudgetLosses: new Counter({
      name: 'bunri_model_budget_losses_total',
      help: 'What Redis did not take into the budget of a model: give_back, settle, pause.',
      labelNames: ['model', 'what'],
      registers,
    }),
    localModelsLoaded: new Gauge({
      name: 'bunri_local_models_loaded',
      help: '1 while this process holds a local model in memory, 0 while it knows it and does not.',
      labelNames: ['model'],
      registers,
      collect() {
        for (const [model, bytes] of localModelBytes) this.set({ model }, bytes() > 0 ? 1 : 0);
      },
    }),
    localModelMemory: new Gauge({
      name: 'bunri_local_model_bytes',
      help: 'Memory that a loaded local model holds, as it says.',
      labelNames: ['model'],
      registers,
      collect() {
        for (const [model, bytes] of localModelBytes) this.set({ model }, bytes());
      },
    }),
    localLoadSeconds: new Histogram({
      name: 'bunri_local_model_load_seconds',
      help: 'Time from the start of the process of a local model to the model being loaded, failed ones included.',
      labelNames: ['model'],
      buckets: stageBuckets,
      registers,
    }),
    localInferenceSeconds: new Histogram({
      name: 'bunri_local_inference_seconds',
      help: 'Time of one batch in a local model, failed ones included.',
      labelNames: ['model'],
      buckets: stageBuckets,
      registers,
    }),
    localBatchSize: new Histogram({
      name: 'bunri_local_batch_size',
      help: 'Tasks that went through a local model together.',
      labelNames: ['model'],
      buckets: [1, 2, 4, 8, 16, 32],
      registers,
    }),
    localDeaths: new Counter({
      name: 'bunri_local_model_deaths_total',
      help: 'Ends of the process of a local model that nobody wanted, by reason: out_of_memory, timeout, crashed.',
      labelNames: ['model', 'reason'],
      registers,
    }),
    localUnloads: new Counter({
      name: 'bunri_local_model_unloads_total',
      help: 'Local models that were unloaded, by why: idle, room that another needed, too_large, asked.',
      labelNames: ['model', 'why'],
      registers,
    }),
    gpuMemory: new Gauge({
      name: 'bunri_gpu_memory_bytes',
      help: 'Memory of each GPU as nvidia-smi tells it, used and total; absent where there is none.',
      labelNames: ['gpu', 'kind'],
      registers,
    }),
  };
}
