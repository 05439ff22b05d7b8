import type { ScenarioResult } from './scenario.ts';

const columns = [
  'scenario',
  'accepted',
  'completed',
  'failed (typed)',
  'lost',
  'answered twice',
  'model calls made / needed (+ in flight)',
  'recovery s',
  'run s',
  'ok',
] as const;

/** A Markdown table, and below it what was noted and which promises were broken. */
export function renderTable(results: readonly ScenarioResult[]): string {
  const rows = [columns, columns.map(() => '---'), ...results.map(row)];
  const widths = columns.map((_, i) => Math.max(...rows.map((cells) => cells[i]?.length ?? 0)));
  const lines = rows.map((cells) => {
    const padded = cells.map((cell, i) => (cell === '---' ? '-'.repeat(widths[i] ?? 3) : cell.padEnd(widths[i] ?? 0)));
    return `| ${padded.join(' | ')} |`;
  });
  const remarks = results.flatMap(({ name, broken, notes }) => [
    ...broken.map((text) => `${name}: BROKEN: ${text}`),
    ...notes.map((text) => `${name}: ${text}`),
  ]);
  return [...lines, '', ...remarks, verdict(results), ''].join('\n');
}

function row({ name, ok, tally, recoveryS, seconds }: ScenarioResult): string[] {
  const end = [recoveryS === null ? '–' : recoveryS.toFixed(1), seconds.toFixed(0), ok ? 'yes' : 'NO'];
  if (tally === null) return [name, ...columns.slice(1, 7).map(() => '?'), ...end];
  const { calls, failed } = tally;
  return [
    name,
    String(tally.accepted),
    tally.degraded === 0 ? String(tally.completed) : `${tally.completed} (${tally.degraded} by rules)`,
    // Canceled and forgotten requests have ended with a word of their own, too.
    [
      ...Object.entries(failed).map(([code, n]) => `${n} ${code}`),
      ...(tally.canceled > 0 ? [`${tally.canceled} canceled`] : []),
      ...(tally.gone > 0 ? [`${tally.gone} gone (410)`] : []),
    ].join(', ') || '0',
    String(tally.lost.length),
    String(tally.answeredTwice),
    `${calls.made} / ${calls.needed} (+ ${calls.inFlight})`,
    ...end,
  ];
}

function verdict(results: readonly ScenarioResult[]): string {
  const failed = results.filter(({ ok }) => !ok).map(({ name }) => name);
  const all = `${results.length} ${results.length === 1 ? 'scenario' : 'scenarios'}`;
  return failed.length === 0
    ? `${all}: every promise was kept.`
    : `${all}: ${failed.length} failed: ${failed.join(', ')}.`;
}

/** For programs: snake_case, as the api's resources are. */
export function renderJson(seed: number, results: readonly ScenarioResult[]): string {
  const plain = results.map(({ name, ok, tally, recoveryS, seconds, broken, notes }) => ({
    name,
    ok,
    accepted: tally?.accepted ?? null,
    completed: tally?.completed ?? null,
    degraded: tally?.degraded ?? null,
    failed: tally?.failed ?? null,
    canceled: tally?.canceled ?? null,
    gone: tally?.gone ?? null,
    open_within_deadline: tally?.open ?? null,
    lost: tally?.lost ?? null,
    answered_twice: tally?.answeredTwice ?? null,
    broken_streams: tally?.brokenStreams ?? null,
    model_calls: tally && { made: tally.calls.made, needed: tally.calls.needed, in_flight: tally.calls.inFlight },
    recovery_s: recoveryS,
    run_s: seconds,
    broken,
    notes,
  }));
  return `${JSON.stringify({ seed, ok: results.every(({ ok }) => ok), scenarios: plain }, null, 2)}\n`;
}
