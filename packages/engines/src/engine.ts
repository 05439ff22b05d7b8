import type { Engine } from '@bunri/queue-contracts';
import type { ToldLimits } from '@bunri/runtime';

/** Tokens as the model API counted them; `cachedInput` is the part of `input` that the provider's prefix cache served. */
export interface TokenCount {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
}

export interface Prediction<Value> {
  readonly value: Value;
  readonly engine: Engine;
  readonly tokens: TokenCount;
  /** What the provider told of its limits with this answer. */
  readonly told?: ToldLimits;
}

export interface PredictOptions<Task> {
  /** Ends calls in flight; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** The text of one task's answer so far (JSON, as the model writes it), in full, at every piece that arrives. */
  readonly onText?: (task: Task, textSoFar: string) => void;
}

/**
 * One interface for everything that infers, remote or local.
 *
 * `predict` gives one prediction a task, in order. It throws the runtime's `PermanentError`, `TransientError` or
 * `RateLimitedError`, and never retries by itself: attempts are counted in the stage catalogue alone. What was paid and
 * told before an error came is found by `paidBefore` and `toldBefore`.
 */
export interface InferenceEngine<Task, Value> {
  readonly model: string;
  /** Where a remote one is. */
  readonly server?: { readonly address: string; readonly port: number };
  load(): Promise<void>;
  predict(batch: readonly Task[], options: PredictOptions<Task>): Promise<Prediction<Value>[]>;
  unload(): Promise<void>;
  /** Bytes that the loaded model holds on this machine; 0 while it is not loaded, and for a remote one. */
  memoryBytes(): number;
}
