import type { FailureCode } from '@bunri/queue-contracts';

/** Why a task, or the loading of a model, failed in the engine's process. */
export type FailureReport =
  | { readonly kind: 'refused'; readonly code: FailureCode; readonly message: string }
  | { readonly kind: 'out_of_memory'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

export type TaskResult<Value> = { readonly value: Value } | { readonly failure: FailureReport };

export type MessageToChild<Task> =
  | { readonly type: 'predict'; readonly id: number; readonly tasks: readonly Task[] }
  | { readonly type: 'unload' };

export type MessageFromChild<Value> =
  | { readonly type: 'loaded'; readonly memoryBytes: number }
  | { readonly type: 'load_failed'; readonly failure: FailureReport }
  | { readonly type: 'predicted'; readonly id: number; readonly results: readonly TaskResult<Value>[] };
