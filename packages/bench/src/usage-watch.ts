import { cpuSecondsOf, peakRssOf, pssOf } from './process-usage.ts';

export interface Usage {
  /** Since the watch began. */
  readonly cpuSeconds: number;
  /** Since the process began, bytes. */
  readonly peakRss: number;
  /** While it was watched, bytes. */
  readonly peakPss: number;
}

export interface UsageWatch {
  /** Ends the watch. Of each process in the order given, and the largest sum at one moment of those that count together. */
  stop(): Promise<{ readonly each: readonly Usage[]; readonly peakPssTogether: number }>;
}

/** To read the pages of all processes takes some 50 ms of CPU. */
const everyMs = 2_000;

/** Watches the CPU and the memory of processes from outside. `together` names those whose memory is added up. */
export async function watchUsage(pids: readonly number[], together: ReadonlySet<number>): Promise<UsageWatch> {
  const before = await Promise.all(pids.map(cpuSecondsOf));
  const peaks = pids.map(() => 0);
  let peakPssTogether = 0;
  let problem: unknown;

  async function look(): Promise<void> {
    let sum = 0;
    // One after the other: the kernel holds up a process while it counts its pages.
    for (const [i, pid] of pids.entries()) {
      const pss = await pssOf(pid);
      peaks[i] = Math.max(peaks[i] ?? 0, pss);
      if (together.has(pid)) sum += pss;
    }
    peakPssTogether = Math.max(peakPssTogether, sum);
  }

  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).catch((error: unknown) => {
      problem ??= error;
    });
  }, everyMs);
  return {
    async stop() {
      const after = await Promise.all(pids.map(cpuSecondsOf));
      clearInterval(timer);
      await looking;
      await look();
      if (problem !== undefined) throw problem;
      const rss = await Promise.all(pids.map(peakRssOf));
      const each = pids.map((_, i) => ({
        cpuSeconds: (after[i] ?? 0) - (before[i] ?? 0),
        peakRss: rss[i] ?? 0,
        peakPss: peaks[i] ?? 0,
      }));
      return { each, peakPssTogether };
    },
  };
}
