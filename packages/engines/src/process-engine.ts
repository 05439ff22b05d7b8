import type { Engine } from '@bunri/queue-contracts';
import type { Logger, Metrics } from '@bunri/runtime';
import { EngineDied, type ChildOptions } from './engine-child.ts';
import { deathError, taskError } from './engine-failures.ts';
import type { InferenceEngine, PredictOptions, Prediction, TokenCount } from './engine.ts';
import { keepChild } from './kept-child.ts';
import { orAbort } from './or-abort.ts';
import { createTaskLine, type TaskEnd } from './task-line.ts';

export interface ProcessEngineOptions extends ChildOptions {
  /** The name that it is asked for by, and its label in the metrics. */
  readonly model: string;
  /** What its predictions say of who made them. Default provider `local` and the model. */
  readonly engine?: Engine;
  /** Tasks in a batch, at most. Default 8. */
  readonly maxBatch?: number;
  /** How long a first task waits for company. Default 20 ms. */
  readonly batchDelayMs?: number;
  /** For one batch. After it the process is killed, and the next task starts another. */
  readonly timeoutMs: number;
  /** Default a minute. */
  readonly loadTimeoutMs?: number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now?: () => number;
}

const noTokens: TokenCount = { input: 0, cachedInput: 0, output: 0 };

/**
 * A model in a forked process, so that its work holds up no event loop of ours, and its death is not ours. A thread would
 * not do: one that runs out of memory takes its whole process along.
 *
 * The process starts with the first task or `load`, and again after it died. Tasks of all callers go in batches, one at a
 * time. `unload` lets what callers wait for come to its end, and holds back who comes later.
 *
 * `predict` throws TransientError: `engine_out_of_memory`, `model_timeout`, `model_unavailable` where the process died or
 * could not load its model, `internal_error` where the model failed on the task; PermanentError where it refused the task;
 * the signal's reason.
 */
export function processEngine<Task, Value>(options: ProcessEngineOptions): InferenceEngine<Task, Value> {
  const { model, engine = { provider: 'local', model }, now = Date.now } = options;
  const { maxBatch = 8, batchDelayMs = 20, loadTimeoutMs = 60_000, timeoutMs, metrics } = options;
  const kept = keepChild<Task, Value>({ ...options, loadTimeoutMs, now });
  let alone = 0;
  const line = createTaskLine<Task, Value>({
    maxBatch: () => (alone > 0 ? 1 : maxBatch),
    delayMs: batchDelayMs,
    run,
  });
  let unloading: Promise<void> | undefined;

  async function run(tasks: readonly Task[]): Promise<TaskEnd<Value>[]> {
    const child = await kept.get();
    metrics.localBatchSize.observe({ model }, tasks.length);
    const endTimer = metrics.localInferenceSeconds.startTimer({ model });
    const giveUp = setTimeout(() => child.kill('timeout'), timeoutMs);
    try {
      const results = await child.predict(tasks);
      alone = Math.max(0, alone - tasks.length);
      return results.map((result) =>
        'value' in result ? { value: result.value } : { error: taskError(result.failure, model) },
      );
    } catch (error) {
      // One task of the batch may be what kills: when they come again, each goes alone, and no other dies with it.
      alone = tasks.length > 1 ? tasks.length : Math.max(0, alone - 1);
      throw error instanceof EngineDied ? deathError(error, model) : error;
    } finally {
      clearTimeout(giveUp);
      endTimer();
    }
  }

  /** Resolves where no unload is under way, which would never end if it waited for those who come later. */
  async function untilFree(signal?: AbortSignal): Promise<void> {
    if (!unloading) return;
    await (signal ? orAbort(unloading, signal) : unloading);
    await untilFree(signal);
  }

  async function predict(batch: readonly Task[], { signal }: PredictOptions<Task>): Promise<Prediction<Value>[]> {
    await untilFree(signal);
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const values = batch.map(async (task) => {
      try {
        return await line.add(task, either);
      } catch (error) {
        // The caller's batch has failed: nobody waits for the rest of it.
        failed.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(values);
    return (await Promise.all(values)).map((value) => ({ value, engine, tokens: noTokens }));
  }

  async function endChild(): Promise<void> {
    try {
      await line.idle();
      // A batch that was abandoned by all may go on for its whole time-out.
      await kept.end(line.running() ? 'kill' : 'unload');
    } finally {
      unloading = undefined;
    }
  }

  return {
    model,
    predict,
    async load() {
      await untilFree();
      await kept.get();
    },
    unload: async () => await (unloading ??= endChild()),
    memoryBytes: () => kept.memoryBytes(),
  };
}
