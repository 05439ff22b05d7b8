// Runs as a thread of its own, which sleeps, and looks at the CPU of processes each time it wakes: see `spell.ts`.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { isStandstill, napMs } from '@bunri/testkit/naps';
import { parseCpuSeconds } from './process-usage.ts';
import type { Spell } from './spell.ts';

const { pids } = workerData as { pids: readonly number[] };
const cores = availableParallelism();
/** Linux tells the time of processes in hundredths of a second. */
const roundingMs = 10;

const begunAt = performance.now();
let lookedAt = begunAt;
let used = pids.map((pid) => read(pid) ?? 0);
let ranMs = 0;
const cpuSeconds = pids.map(() => 0);

/** Null for a process that has ended. */
function read(pid: number): number | null {
  try {
    return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

function look(): void {
  const now = performance.now();
  const next = pids.map((pid, i) => read(pid) ?? used[i] ?? 0);
  const gapMs = now - lookedAt;
  const tookMs = isStandstill(gapMs) ? napMs : gapMs;
  ranMs += tookMs;
  // Linux may charge what ran when the machine stopped with the standstill, and as late as in the look after it: no process
  // can have used more than all cores in the time that the machine ran.
  const mostSeconds = (tookMs * cores + roundingMs) / 1000;
  for (const [i, seconds] of next.entries()) {
    cpuSeconds[i] = (cpuSeconds[i] ?? 0) + Math.min(seconds - (used[i] ?? 0), mostSeconds);
  }
  lookedAt = now;
  used = next;
}
setInterval(look, napMs);

parentPort?.on('message', () => {
  look();
  parentPort?.postMessage({ wallMs: lookedAt - begunAt, ranMs, cpuSeconds } satisfies Spell);
});
parentPort?.postMessage('begun');
