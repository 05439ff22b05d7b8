import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Pair } from './scenario.ts';

/** What a machine and some of its processes did while something was measured. */
export interface Spell {
  readonly wallMs: number;
  /** How much of it the machine ran. The same, on a machine whose processors are not rationed. */
  readonly ranMs: number;
  /** Of each process, all threads, while the machine ran. */
  readonly cpuSeconds: readonly number[];
}

/**
 * Measures what `work` takes in time and in CPU of these processes. A virtual machine whose processors are rationed stands
 * still for hundreds of milliseconds at a time; standing still from 50 ms on counts neither as time nor as CPU, so that the
 * two sides of a comparison are measured at the same speed. Of a process that ends meanwhile, what it had used by then counts.
 */
export async function measureSpell<Result>(
  pids: readonly number[],
  work: () => Promise<Result>,
): Promise<{ result: Result; spell: Spell }> {
  const execArgv = process.execArgv.filter((arg) => arg.startsWith('--conditions='));
  const thread = new Worker(new URL('./spell-thread.ts', import.meta.url), { workerData: { pids }, execArgv });
  const failed = once(thread, 'error').then(([error]) => {
    throw error;
  });
  // Heard at the next question to the thread.
  failed.catch(() => undefined);
  const answer = async () => (await Promise.race([once(thread, 'message'), failed])) as [Spell];
  try {
    await answer();
    const result = await work();
    const answered = answer();
    thread.postMessage('done');
    const [spell] = await answered;
    return { result, spell };
  } finally {
    await thread.terminate();
  }
}

/** How much of its time each side had no machine, for a report's notes: nothing, where it ran all the time. */
export function standstillNote(of: string, pairs: readonly Pair<{ readonly spell: Spell }>[]): string[] {
  const percent = (side: 'baseline' | 'bunri') => {
    const spells = pairs.map((pair) => pair[side].spell);
    const sum = (pick: (spell: Spell) => number) => spells.reduce((total, spell) => total + pick(spell), 0);
    return Math.round(100 * (1 - sum(({ ranMs }) => ranMs) / sum(({ wallMs }) => wallMs)));
  };
  const [baseline, bunri] = [percent('baseline'), percent('bunri')];
  if (!(baseline >= 1 || bunri >= 1)) return [];
  return [
    `The machine stood still for ${baseline} % of the baseline's time and for ${bunri} % of bunri's: ${of} are of the time in which it ran.`,
  ];
}
