import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Tells time in which the machine ran from time in which it stood still. */
export interface MachineWatch {
  /**
   * How much of the time from `from` to `to` the machine ran, ms. Both are times of `Date.now` since the watch began. Left
   * out is what kept a thread that only sleeps from waking for more than 50 ms. What this thread computes does not; what
   * other processes compute only where a great many are busy.
   */
  ranMs(from: number, to: number): Promise<number>;
  stop(): Promise<void>;
}

/**
 * A virtual machine whose processors are rationed stands still for up to a second at a time, with all its processes; a
 * bound on how long something takes must not count that. Resolves when the watch has begun.
 */
export async function watchMachine(): Promise<MachineWatch> {
  const thread = new Worker(new URL('./machine-watch-thread.ts', import.meta.url), { execArgv: [] });
  let questions: Promise<unknown> = Promise.resolve();
  const ask = async (from: number, to: number) => {
    // Only an answer that is waited for keeps the process.
    thread.ref();
    const answered = once(thread, 'message') as Promise<[number]>;
    thread.postMessage({ from, to });
    const [ran] = await answered;
    thread.unref();
    return ran;
  };
  const ranMs = async (from: number, to: number) => {
    // One at a time: answers come without saying to what.
    const answer = questions.then(async () => await ask(from, to));
    questions = answer.catch(() => undefined);
    return await answer;
  };
  await ranMs(0, 0);
  return {
    ranMs,
    async stop() {
      await thread.terminate();
    },
  };
}
