import { PermanentError, TransientError } from '@bunri/runtime';
import { EngineDied, LoadFailed } from './engine-child.ts';
import type { FailureReport } from './engine-messages.ts';
import { isOutOfMemory } from './out-of-memory.ts';

/** The error of one task. The process that reported it goes on. */
export function taskError(failure: FailureReport, model: string): PermanentError | TransientError {
  const cause = new Error(failure.message);
  switch (failure.kind) {
    case 'refused':
      return new PermanentError(failure.code, failure.message);
    case 'out_of_memory':
      return outOfMemory(model, cause);
    case 'failed':
      return new TransientError('internal_error', `The local model ${model} failed; try again later.`, { cause });
  }
}

/** The error of all that a process had been asked when it died: another process may well do it. */
export function deathError(died: EngineDied, model: string): TransientError {
  switch (died.reason) {
    case 'out_of_memory':
      return outOfMemory(model, died);
    case 'timeout':
      return new TransientError('model_timeout', `The local model ${model} took too long; try again later.`, {
        cause: died,
      });
    case 'unloaded':
    case 'crashed':
      return unavailable(`The local model ${model} stopped while it worked; try again later.`, died);
  }
}

/** Why a model could not be loaded. */
export function loadError(error: unknown, model: string): PermanentError | TransientError {
  if (error instanceof LoadFailed && error.failure.kind !== 'failed') return taskError(error.failure, model);
  // The process died of it, or the system had no memory for another process.
  const outOfMemoryDeath = error instanceof EngineDied ? error.reason === 'out_of_memory' : isOutOfMemory(error);
  if (outOfMemoryDeath) return outOfMemory(model, error);
  return unavailable(`The local model ${model} could not be loaded; try again later.`, error);
}

/** It is not tried now, since it failed again and again. */
export function notTriedYet(model: string, waitMs: number, cause: unknown): TransientError {
  const seconds = Math.ceil(waitMs / 1000);
  return unavailable(`The local model ${model} could not be loaded and is tried again in ${seconds} seconds.`, cause);
}

function unavailable(message: string, cause: unknown): TransientError {
  return new TransientError('model_unavailable', message, { cause });
}

function outOfMemory(model: string, cause: unknown): TransientError {
  return new TransientError('engine_out_of_memory', `The local model ${model} ran out of memory; try again later.`, {
    cause,
  });
}
