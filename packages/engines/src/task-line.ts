/** How one task of a batch ended. */
export type TaskEnd<Value> = { readonly value: Value } | { readonly error: unknown };

export interface TaskLineOptions<Task, Value> {
  /** Asked before each batch. */
  readonly maxBatch: () => number;
  /** How long a first task waits for company while nothing runs. */
  readonly delayMs: number;
  /** Ends each task of the batch, in order; when it throws, that is the error of all. */
  readonly run: (tasks: readonly Task[]) => Promise<readonly TaskEnd<Value>[]>;
}

/** Tasks that wait for a device, which takes one batch at a time. */
export interface TaskLine<Task, Value> {
  /**
   * Resolves with the task's own value. An abort takes a waiting task out of the line at once; one that runs is abandoned,
   * and what comes of it is dropped.
   *
   * @throws the task's own error; the signal's reason.
   */
  add(task: Task, signal: AbortSignal): Promise<Value>;
  /** Resolves when nobody waits for a task any more. */
  idle(): Promise<void>;
  /** Whether a batch runs, be it for nobody. */
  running(): boolean;
}

interface Entry<Task, Value> {
  readonly task: Task;
  readonly settle: (end: TaskEnd<Value>) => void;
}

export function createTaskLine<Task, Value>(options: TaskLineOptions<Task, Value>): TaskLine<Task, Value> {
  const { maxBatch, delayMs, run } = options;
  const waiting = new Set<Entry<Task, Value>>();
  let unsettled = 0;
  let idlers: (() => void)[] = [];
  let running = false;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = [...waiting].slice(0, Math.max(1, maxBatch()));
    if (batch.length === 0) return;
    for (const entry of batch) waiting.delete(entry);
    running = true;
    void runBatch(batch).then(goOn);
  }

  function goOn(): void {
    running = false;
    // Those who came while the last batch ran have waited for company long enough.
    start();
  }

  async function runBatch(batch: readonly Entry<Task, Value>[]): Promise<void> {
    let ends: readonly TaskEnd<Value>[] = [];
    let failed: TaskEnd<Value> = { error: new Error('the engine gave no result for a task') };
    try {
      ends = await run(batch.map(({ task }) => task));
    } catch (error) {
      failed = { error };
    }
    for (const [i, { settle }] of batch.entries()) settle(ends[i] ?? failed);
  }

  function leave(entry: Entry<Task, Value>): void {
    waiting.delete(entry);
    if (waiting.size === 0) {
      clearTimeout(timer);
      timer = undefined;
    }
    unsettled -= 1;
    if (unsettled > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  return {
    running: () => running,
    async add(task, signal) {
      signal.throwIfAborted();
      const end = Promise.withResolvers<TaskEnd<Value>>();
      const entry = { task, settle: end.resolve };
      const onAbort = () => end.resolve({ error: signal.reason });
      signal.addEventListener('abort', onAbort, { once: true });
      waiting.add(entry);
      unsettled += 1;
      if (!running) {
        if (waiting.size >= maxBatch()) start();
        else timer ??= setTimeout(start, delayMs);
      }
      try {
        const ended = await end.promise;
        if ('error' in ended) throw ended.error;
        return ended.value;
      } finally {
        signal.removeEventListener('abort', onAbort);
        leave(entry);
      }
    },
    async idle() {
      if (unsettled > 0) await new Promise<void>((resolve) => idlers.push(resolve));
    },
  };
}
