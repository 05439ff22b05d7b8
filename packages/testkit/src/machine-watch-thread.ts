// Runs as a thread of its own: see `machine-watch.ts`.
import { parentPort } from 'node:worker_threads';
import { isStandstill, napMs } from './naps.ts';

const standstills: { from: number; to: number }[] = [];
let lookedAt = Date.now();

function look(): void {
  const now = Date.now();
  if (isStandstill(now - lookedAt)) standstills.push({ from: lookedAt + napMs, to: now });
  lookedAt = now;
}
setInterval(look, napMs);

parentPort?.on('message', ({ from, to }: { from: number; to: number }) => {
  // A question may be heard before the first look after a standstill.
  look();
  const stood = standstills.map((one) => Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)));
  parentPort?.postMessage(to - from - stood.reduce((sum, ms) => sum + ms, 0));
});
