// Imports nothing that is large: a model's process has no room for the libraries of its parent.
import { existsSync, writeFileSync } from 'node:fs';
import type { FailureCode } from '@bunri/queue-contracts';
import type { FailureReport, MessageFromChild, MessageToChild, TaskResult } from './engine-messages.ts';
import { isOutOfMemory } from './out-of-memory.ts';

/** A model in a process of its own. */
export interface Predictor<Task, Value> {
  /** Called once, first. `memoryBytes` is what the loaded model holds, more than 0. */
  load(): Promise<{ readonly memoryBytes: number }>;
  /**
   * One value a task, in order. Never called again before it is done. When it throws, the tasks of its batch are tried one
   * by one, so that each fails for its own reason.
   */
  predict(batch: readonly Task[]): Promise<readonly Value[]>;
  unload(): Promise<void>;
}

/** Thrown by a predictor that can never answer this task, whoever tries it: the parent's `PermanentError`. */
export class RefusedTask extends Error {
  override readonly name = 'RefusedTask';
  readonly code: FailureCode;

  /** @param message what happened and what the client can do; shown to the client. */
  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Loads a model and works for the parent until it lets go: the only call of a module that `processEngine` runs. When the
 * parent is gone, however it ended, this process ends too, at the latest after the batch that it is in.
 *
 * @throws where this process was not forked.
 */
export function serveEngine<Task, Value>(predictor: Predictor<Task, Value>): void {
  if (!process.send) throw new Error('serveEngine works in a process that processEngine has forked');
  if (!process.connected) process.exit(0);
  process.once('disconnect', () => process.exit(0));
  // A signal to the whole group (Ctrl-C) means the parent, which still wants the answers in flight and ends this one then.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

  standInForParent();

  const send = (message: MessageFromChild<Value>) =>
    // Nobody is left to be told that the parent has gone in this moment; `disconnect` ends the process.
    new Promise<void>((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
  let last = load(predictor, send);
  process.on('message', (message: MessageToChild<Task>) => {
    // One at a time a device, whatever the parent sends.
    last = last.then(async () => await work(predictor, message, send));
  });
}

const oomScore = '/proc/self/oom_score_adj';

/** When memory ends, Linux picks a process to kill: rather this one, which is started again, than the worker. */
function standInForParent(): void {
  if (!existsSync(oomScore)) return;
  try {
    writeFileSync(oomScore, '1000');
  } catch (error) {
    process.stderr.write(`the kernel may kill the worker before its model: ${String(error)}\n`);
  }
}

type Send<Value> = (message: MessageFromChild<Value>) => Promise<void>;

async function load<Task, Value>(predictor: Predictor<Task, Value>, send: Send<Value>): Promise<void> {
  try {
    const { memoryBytes } = await predictor.load();
    if (!(memoryBytes > 0)) throw new Error(`the model says that it holds ${memoryBytes} bytes`);
    await send({ type: 'loaded', memoryBytes });
  } catch (error) {
    await send({ type: 'load_failed', failure: describeFailure(error) });
    process.exit(1);
  }
}

async function work<Task, Value>(
  predictor: Predictor<Task, Value>,
  message: MessageToChild<Task>,
  send: Send<Value>,
): Promise<void> {
  if (message.type === 'unload') {
    await predictor.unload();
    process.exit(0);
  }
  const { id, tasks } = message;
  const results = await predictEach(predictor, tasks);
  try {
    await send({ type: 'predicted', id, results });
  } catch (error) {
    // A value that cannot be sent, such as one with a function in it.
    const failure = describeFailure(error);
    await send({ type: 'predicted', id, results: tasks.map(() => ({ failure })) });
  }
}

async function predictEach<Task, Value>(
  predictor: Predictor<Task, Value>,
  tasks: readonly Task[],
): Promise<TaskResult<Value>[]> {
  try {
    const values = await predictor.predict(tasks);
    if (values.length !== tasks.length) throw new Error(`${values.length} values for ${tasks.length} tasks`);
    return values.map((value) => ({ value }));
  } catch (error) {
    if (tasks.length === 1) return [{ failure: describeFailure(error) }];
    const results: TaskResult<Value>[] = [];
    for (const task of tasks) results.push(...(await predictEach(predictor, [task])));
    return results;
  }
}

function describeFailure(error: unknown): FailureReport {
  if (error instanceof RefusedTask) return { kind: 'refused', code: error.code, message: error.message };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: isOutOfMemory(error) ? 'out_of_memory' : 'failed', message };
}
