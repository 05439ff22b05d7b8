import { fork, type ChildProcess } from 'node:child_process';
import type { FailureReport, MessageFromChild, MessageToChild, TaskResult } from './engine-messages.ts';
import { diedOutOfMemory } from './out-of-memory.ts';

export interface ChildOptions {
  /** Calls `serveEngine`. */
  readonly module: URL;
  /** The module's arguments, after its own path in `process.argv`. */
  readonly args?: readonly string[];
  /** The whole environment of the child: it inherits nothing, and so no secret. Default empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Node's own options. Default: the `--conditions=` of this process. */
  readonly execArgv?: readonly string[];
  /** V8's heap, in MiB. Buffers and WebAssembly memory are outside of it. */
  readonly maxOldSpaceMb: number;
}

/** Why a process ends that nobody wanted to end. */
export const unwantedEnds = ['out_of_memory', 'timeout', 'crashed'] as const;

/** `unloaded` where we ended it. */
export type DeathReason = (typeof unwantedEnds)[number] | 'unloaded';

/** The engine's process is gone, and with it all that it was asked. */
export class EngineDied extends Error {
  override readonly name = 'EngineDied';
  readonly reason: DeathReason;
  readonly lastWords: string;

  constructor(reason: DeathReason, how: string, lastWords: string) {
    super(`the process of the model ended: ${how}`);
    this.reason = reason;
    this.lastWords = lastWords;
  }
}

/** The model told why it could not be loaded. */
export class LoadFailed extends Error {
  override readonly name = 'LoadFailed';
  readonly failure: FailureReport;

  constructor(failure: FailureReport) {
    super(failure.message);
    this.failure = failure;
  }
}

/** One process with one model, from its start to its end. */
export interface EngineChild<Task, Value> {
  /** The bytes that the model says it holds. Rejects with `LoadFailed` or `EngineDied`. */
  readonly loaded: Promise<number>;
  /** Resolves when nothing of the process is left. */
  readonly ended: Promise<EngineDied>;
  /** One result a task, in order. @throws EngineDied; what structured clone throws for a task that cannot be sent. */
  predict(tasks: readonly Task[]): Promise<readonly TaskResult<Value>[]>;
  /** Lets the model unload itself and the process end; kills it when that takes more than five seconds. */
  unload(): Promise<void>;
  /** Ends the process where it stands. */
  kill(reason: DeathReason): void;
}

const unloadMs = 5_000;
/** V8 writes two screens of figures and addresses around the line that tells. */
const keptWords = 8_192;

export function startEngineChild<Task, Value>(options: ChildOptions): EngineChild<Task, Value> {
  const child = fork(options.module, options.args ?? [], {
    env: { ...options.env },
    execArgv: [
      ...(options.execArgv ?? process.execArgv.filter((arg) => arg.startsWith('--conditions='))),
      `--max-old-space-size=${options.maxOldSpaceMb}`,
    ],
    // Bytes stay bytes; JSON would make a list of numbers of an image.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let killedFor: DeathReason | undefined;
  const kill = (reason: DeathReason) => {
    killedFor ??= reason;
    child.kill('SIGKILL');
  };
  const ended = endOf(child, () => killedFor);
  const loaded = Promise.withResolvers<number>();
  const pending = new Map<number, PromiseWithResolvers<readonly TaskResult<Value>[]>>();
  let sent = 0;

  child.on('message', (message: MessageFromChild<Value>) => {
    switch (message.type) {
      case 'loaded':
        return loaded.resolve(message.memoryBytes);
      case 'load_failed':
        killedFor ??= message.failure.kind === 'out_of_memory' ? 'out_of_memory' : 'crashed';
        return loaded.reject(new LoadFailed(message.failure));
      case 'predicted':
        pending.get(message.id)?.resolve(message.results);
        pending.delete(message.id);
    }
  });
  let over: EngineDied | undefined;
  const rejectAll = (died: EngineDied) => {
    over = died;
    loaded.reject(died);
    for (const answer of pending.values()) answer.reject(died);
    pending.clear();
  };
  void ended.then(rejectAll);
  // Whoever waits for it hears it; nobody has to.
  loaded.promise.catch(() => undefined);

  // Where the channel is closed the process is on its way out; `ended` then says how, and at the latest after a time-out.
  const send = (message: MessageToChild<Task>) => child.send(message, () => undefined);

  return {
    loaded: loaded.promise,
    ended,
    kill,
    async predict(tasks) {
      if (over) throw over;
      sent += 1;
      const answer = Promise.withResolvers<readonly TaskResult<Value>[]>();
      pending.set(sent, answer);
      try {
        send({ type: 'predict', id: sent, tasks });
      } catch (error) {
        pending.delete(sent);
        throw error;
      }
      return await answer.promise;
    },
    async unload() {
      killedFor ??= 'unloaded';
      send({ type: 'unload' });
      const timer = setTimeout(() => kill('unloaded'), unloadMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** After the last message and the last word. It never rejects. */
function endOf(child: ChildProcess, killedFor: () => DeathReason | undefined): Promise<EngineDied> {
  // A process that is busy hears of its parent's end late; of one that exits by itself it is spared that.
  const endWithThisProcess = () => child.kill('SIGKILL');
  process.once('exit', endWithThisProcess);
  let lastWords = '';
  child.stderr?.setEncoding('utf8').on('data', (words: string) => {
    lastWords = (lastWords + words).slice(-keptWords);
  });
  return new Promise((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      process.off('exit', endWithThisProcess);
      const outOfMemory = diedOutOfMemory({ code, signal, lastWords });
      const reason = killedFor() ?? (outOfMemory ? 'out_of_memory' : 'crashed');
      resolve(new EngineDied(reason, signal === null ? `exit code ${code}` : `signal ${signal}`, lastWords));
    };
    child.once('close', end);
    child.once('error', (error) => {
      lastWords += error.message;
      // One that could not be started closes nothing.
      if (child.pid === undefined) end(1, null);
    });
  });
}
