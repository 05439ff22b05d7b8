import type { CallKind, CallLogEntry } from '@bunri/testkit';
import type { LedgerEntry } from '../ledger.ts';
import type { Run, Scenario } from '../scenario.ts';

/** Of each kind, at once. */
const count = 3;
const deadlineS = 5;
const longestMs = 1_000;

/** Sends requests whose next call of the kind takes half a minute, and waits until those calls are in flight. */
async function stuckIn(kind: CallKind, run: Run, more: { deadlineS?: number }) {
  const { rig, ledger, client, stock, until } = run;
  rig.simulator.setFaults([{ fault: 'slow', delayMs: 30_000, kind }]);
  const before = rig.simulator.calls().length;
  const entries = await Promise.all(
    Array.from({ length: count }, async () => await ledger.submit(client, await stock.next(more))),
  );
  const calls = () =>
    rig.simulator
      .calls()
      .slice(before)
      .filter((call) => call.kind === kind);
  await until(`${count} ${kind} calls in flight`, () => calls().length === count, 10_000);
  return { entries, calls };
}

async function untilEnded(run: Run, entries: readonly LedgerEntry[], calls: () => CallLogEntry[]): Promise<void> {
  await Promise.all(entries.map(async (entry) => await run.ledger.follow(entry)));
  await run.until('the calls end', () => calls().every(({ durationMs }) => durationMs !== null), 20_000);
}

/** How long after the given moment the calls ended, in ms. */
function report(run: Run, what: string, calls: readonly CallLogEntry[], due: number): void {
  const late = calls.map(({ at, durationMs }) => at + (durationMs ?? 0) - due);
  run.note(`${what}: the calls in flight ended after ${late.map((ms) => `${ms.toFixed(0)} ms`).join(', ')}`);
  if (late.some((ms) => ms > longestMs)) run.broken(`${what}: a call went on for more than ${longestMs} ms`);
  if (calls.some(({ aborted }) => !aborted)) run.broken(`${what}: a call was not given up`);
}

async function cancel(run: Run, kind: CallKind): Promise<void> {
  const { entries, calls } = await stuckIn(kind, run, {});
  const at = Date.now();
  run.strikes();
  const following = untilEnded(run, entries, calls);
  await Promise.all(entries.map(async ({ client, accepted }) => await client.cancel(accepted?.id ?? '')));
  await following;
  report(run, `cancel in ${kind}`, calls(), at);
  expectEnds(run, entries, 'canceled');
}

async function passDeadline(run: Run, kind: CallKind): Promise<void> {
  const { entries, calls } = await stuckIn(kind, run, { deadlineS });
  const due = Math.max(...entries.map(({ accepted }) => accepted?.deadlineAt ?? 0));
  run.strikes();
  await untilEnded(run, entries, calls);
  report(run, `deadline in ${kind}`, calls(), due);
  expectEnds(run, entries, 'failed');
}

function expectEnds(run: Run, entries: readonly LedgerEntry[], type: string): void {
  const ends = entries.map(({ live }) => live.at(-1)?.type ?? 'nothing');
  if (ends.some((end) => end !== type)) run.broken(`ended with ${ends.join(', ')}, not ${type}`);
}

export const cancelAndDeadline: Scenario = {
  name: 'cancel-and-deadline',
  says: 'a cancellation and a deadline end the model calls in flight within a second, and are told apart',
  // With them, an answer that is late is made from the rules just before the deadline.
  rig: { env: { LLM_FALLBACKS: 'none' } },
  users: 0,
  mayFail: ['deadline_exceeded'],
  cutsOff: ['vision', 'answer'],
  async fault(run) {
    for (const kind of ['vision', 'answer'] as const) {
      await cancel(run, kind);
      await passDeadline(run, kind);
    }
    run.rig.simulator.setFaults([]);
    await run.ledger.follow(await run.ledger.submit(run.client, await run.stock.next()));
  },
  check({ broken }, { observed }) {
    const canceled = observed.filter(({ ending }) => ending.kind === 'canceled').length;
    const late = observed.filter(
      ({ ending }) => ending.kind === 'failed' && ending.code === 'deadline_exceeded',
    ).length;
    if (canceled !== 2 * count) broken(`${canceled} canceled, not ${2 * count}`);
    if (late !== 2 * count) broken(`${late} ended by their deadline, not ${2 * count}`);
  },
};
