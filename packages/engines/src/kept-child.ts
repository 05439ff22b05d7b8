import type { Logger, Metrics } from '@bunri/runtime';
import { EngineDied, startEngineChild, unwantedEnds, type ChildOptions, type EngineChild } from './engine-child.ts';
import { loadError, notTriedYet } from './engine-failures.ts';

export interface KeptChildOptions extends ChildOptions {
  readonly model: string;
  /** After this a model that is not loaded yet is given up. */
  readonly loadTimeoutMs: number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => number;
}

/** The process of a model, started again when it is asked for after its end. Never two at once. */
export interface KeptChild<Task, Value> {
  /**
   * The process with its model loaded; who asks meanwhile shares the load. A model that failed to load twice in a row or
   * more often is not tried again before a pause, which doubles up to half a minute.
   *
   * @throws TransientError, or the PermanentError of a model that refused to be loaded.
   */
  get(): Promise<EngineChild<Task, Value>>;
  /** 0 while nothing is loaded. */
  memoryBytes(): number;
  /** Ends the process where there is one; with `kill` it is not asked. */
  end(how: 'unload' | 'kill'): Promise<void>;
}

const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** Of a dead process's last words, in the log. */
const loggedWords = 1_000;

/** How long a model is left alone that has failed to load so many times in a row. */
export function pauseAfter(failures: number): number {
  return failures < 2 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 2));
}

export function keepChild<Task, Value>(options: KeptChildOptions): KeptChild<Task, Value> {
  const { model, loadTimeoutMs, metrics, log, now } = options;
  // The first load and the first death are a rise only of what is there before them.
  metrics.localLoadSeconds.zero({ model });
  for (const reason of unwantedEnds) metrics.localDeaths.inc({ model, reason }, 0);
  let child: EngineChild<Task, Value> | undefined;
  /** From the start of the process to its end. */
  let ready: Promise<EngineChild<Task, Value>> | undefined;
  let ending: Promise<void> | undefined;
  let bytes = 0;
  let failures = 0;
  let notBefore = 0;
  let lastError: unknown;

  async function load(): Promise<EngineChild<Task, Value>> {
    const endTimer = metrics.localLoadSeconds.startTimer({ model });
    let giveUp: NodeJS.Timeout | undefined;
    let started: EngineChild<Task, Value> | undefined;
    try {
      started = startEngineChild<Task, Value>(options);
      child = started;
      void started.ended.then(report);
      giveUp = setTimeout(() => child?.kill('timeout'), loadTimeoutMs);
      bytes = await started.loaded;
      failures = 0;
      void started.ended.then(forget);
      return started;
    } catch (error) {
      // Its memory must be free before another is started.
      started?.kill('crashed');
      await started?.ended;
      noteFailure(error);
      throw loadError(error, model);
    } finally {
      clearTimeout(giveUp);
      endTimer();
    }
  }

  function forget(): void {
    child = undefined;
    ready = undefined;
    bytes = 0;
  }

  function noteFailure(error: unknown): void {
    // Ended by ourselves it has shown nothing.
    if (error instanceof EngineDied && error.reason === 'unloaded') return;
    failures += 1;
    lastError = error;
    notBefore = now() + pauseAfter(failures);
    log.warn('a local model could not be loaded', { model, failures, error });
  }

  function report({ reason, message, lastWords }: EngineDied): void {
    if (reason === 'unloaded') return;
    metrics.localDeaths.inc({ model, reason });
    log.warn('the process of a local model died', { model, reason, how: message, last: lastWords.slice(-loggedWords) });
  }

  async function endChild(leaving: EngineChild<Task, Value>, how: 'unload' | 'kill'): Promise<void> {
    if (how === 'kill') leaving.kill('unloaded');
    else if (ready && (await succeeds(ready))) await leaving.unload();
    await leaving.ended;
    ending = undefined;
  }

  return {
    async get() {
      // What is sent to a process on its way out would be lost.
      await ending;
      const waitMs = notBefore - now();
      if (!ready && waitMs > 0) throw notTriedYet(model, waitMs, lastError);
      ready ??= load().catch((error: unknown) => {
        forget();
        throw error;
      });
      return await ready;
    },
    memoryBytes: () => bytes,
    async end(how) {
      if (child) await (ending ??= endChild(child, how));
    },
  };
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    () => false,
  );
}
