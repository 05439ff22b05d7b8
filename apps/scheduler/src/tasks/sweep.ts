import { failure, finalStage, isTerminal, stageJobId, stages } from '@bunri/queue-contracts';
import { flowOrder, type FlowQueue, type Logger, type Metrics, type RecordStore } from '@bunri/runtime';
import { readable, results } from '../record-batches.ts';
import type { Task } from '../task.ts';
import { requeueStuck } from './requeue-stuck.ts';
import { wakeWaiting } from './wake-waiting.ts';

export interface SweepDeps {
  readonly records: RecordStore;
  readonly flows: Pick<FlowQueue, 'add'>;
  /** Of the queues. */
  readonly prefix: string;
  readonly metrics: Metrics;
  readonly now?: () => number;
}

const batch = 500;
/** The api adds a request's flow right after its record; one that has none by then lost its api in between. */
const acceptanceMs = 30_000;
const message =
  'The answer was not ready before the deadline. Send the request again, with a later deadline if it may wait.';

/** Keeps the promise that every request ends before its deadline, or soon after it, whatever died on the way. */
export function sweep(deps: SweepDeps): Task {
  return async ({ signal, log }) => {
    const overdue = await closeOverdue(deps, signal);
    const unqueued = await repairUnqueued(deps, signal, log);
    const { requeued, withoutLook } = await requeueStuck(deps, signal, log);
    const woken = await wakeWaiting(deps, signal);
    const report = {
      overdue: overdue.closed,
      without_flow: unqueued.repaired,
      requeued,
      without_look: withoutLook,
      ...woken,
      without_record: overdue.dropped + unqueued.dropped,
    };
    for (const [found, count] of Object.entries(report)) deps.metrics.swept.inc({ found }, count);
    return report;
  };
}

/** Fails what is past its deadline; its jobs end unworked when a worker comes to them. */
async function closeOverdue({ records, now = Date.now }: SweepDeps, signal: AbortSignal) {
  const error = failure('deadline_exceeded', message);
  let closed = 0;
  let dropped = 0;
  for (;;) {
    signal.throwIfAborted();
    const ids = await records.overdue(now(), batch);
    if (ids.length === 0) return { closed, dropped };
    const results = await Promise.all(
      ids.map(async (id) => ({ id, ...(await records.fail(id, error, { overdue: true })) })),
    );
    const stale = results.filter(({ outcome }) => outcome !== 'ended').map(({ id }) => id);
    const gone = await dropFromIndexes(records, stale);
    const ended = ids.length - stale.length;
    dropped += gone;
    closed += ended;
    // By Redis's clock the rest is not late yet, or was opened again.
    if (gone + ended === 0) return { closed, dropped };
  }
}

/** Adds the flow of accepted requests that have none. Long queues are no reason: there the flow's root job exists. */
async function repairUnqueued({ records, flows, prefix, now = Date.now }: SweepDeps, signal: AbortSignal, log: Logger) {
  const acceptedBefore = now() - acceptanceMs;
  let repaired = 0;
  let dropped = 0;
  for (let offset = 0; ;) {
    signal.throwIfAborted();
    const ids = await records.unqueued(acceptedBefore, batch, offset);
    if (ids.length === 0) return { repaired, dropped };
    const stale: string[] = [];
    for (const id of await withoutRoot(records, prefix, ids)) {
      const record = await readable(records, id, log);
      if (record === 'unreadable') continue;
      if (record && !isTerminal(record.status)) {
        await flows.add(flowOrder(record));
        repaired += 1;
      } else {
        stale.push(id);
      }
    }
    const gone = await dropFromIndexes(records, stale);
    dropped += gone;
    // What was dropped has moved the rest of the index forward.
    offset += ids.length - gone;
  }
}

/** The requests whose flow has no root job. */
async function withoutRoot({ redis, keys }: RecordStore, prefix: string, ids: string[]): Promise<string[]> {
  const generations = redis.pipeline();
  for (const id of ids) generations.hget(keys.record(id), 'generation');
  const known = (await results(generations)) as (string | null)[];
  const roots = redis.pipeline();
  for (const [i, id] of ids.entries()) {
    roots.exists(`${prefix}:${stages[finalStage].queue}:${stageJobId(id, finalStage, Number(known[i] ?? 0))}`);
  }
  const exists = await results(roots);
  return ids.filter((_, i) => exists[i] === 0);
}

/** Takes out entries whose record is gone, or closed without them. @returns how many. */
async function dropFromIndexes(records: RecordStore, ids: string[]): Promise<number> {
  const dropped = await Promise.all(ids.map(async (id) => await records.drop(id)));
  return dropped.filter(Boolean).length;
}
