import { table } from '../table.ts';
import { percentile, type Tally } from './tally.ts';

export interface View {
  /** The figures have changed. */
  update(): void;
  close(): void;
}

const barWidth = 30;
const drawEveryMs = 100;
const tellEveryMs = 5_000;

/** A bar and a table that are drawn anew in place, on a terminal. */
export function liveView(draw: (text: string) => void, read: () => Tally, now: () => number): View {
  let lines = 0;
  let changed = true;
  const paint = () => {
    if (!changed) return;
    changed = false;
    const picture = drawTally(read(), now());
    const back = lines === 0 ? '' : `\u001B[${lines}A`;
    draw(`${back}${picture.map((line) => `\u001B[2K${line}\n`).join('')}`);
    lines = picture.length;
  };
  const timer = setInterval(paint, drawEveryMs);
  return {
    update() {
      changed = true;
    },
    close() {
      clearInterval(timer);
      changed = true;
      paint();
    },
  };
}

/** A line every few seconds, for logs. */
export function plainView(write: (line: string) => void, read: () => Tally): View {
  const tell = () => write(progressLine(read()));
  const timer = setInterval(tell, tellEveryMs);
  return {
    update: () => undefined,
    close() {
      clearInterval(timer);
      tell();
    },
  };
}

function progressLine({ total, before, inFlight, counts }: Tally): string {
  const done = before + counts.completed + counts.failed + counts.canceled;
  const parts = [`${done} of ${total} rows done`, `${inFlight} in flight`];
  if (counts.failed + counts.canceled > 0) parts.push(`${counts.failed + counts.canceled} without an answer`);
  return parts.join(', ');
}

/** The lines of the picture. */
export function drawTally(tally: Tally, now: number): string[] {
  const { total, before, counts, durationsMs, startedAt, stages } = tally;
  const doneNow = counts.completed + counts.failed + counts.canceled;
  const share = total === 0 ? 1 : (before + doneNow) / total;
  const full = Math.round(share * barWidth);
  const bar = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
  const leftMs = doneNow === 0 ? null : ((now - startedAt) / doneNow) * (total - before - doneNow);
  const left = leftMs === null || share === 1 ? '' : `, about ${Math.ceil(leftMs / 1000)} s left`;
  const rows = [...stages].map(([name, { running, completed, cached, retried, durationsMs: times }]) => [
    name,
    ...[running, completed, cached, retried].map(String),
    ...[0.5, 0.95].map((of) => seconds(percentile(times, of))),
  ]);
  return [
    `${bar} ${Math.floor(share * 100)}% ${progressLine(tally)}${left}`,
    ...table(['stage', 'now', 'done', 'cached', 'retried', 'p50 s', 'p95 s'], rows),
    `a row: p50 ${seconds(percentile(durationsMs, 0.5))} s, p95 ${seconds(percentile(durationsMs, 0.95))} s, ${tally.costUsd.toFixed(4)} USD so far`,
  ];
}

export function seconds(ms: number | null): string {
  return ms === null ? '-' : (ms / 1000).toFixed(2);
}
