import { failure, finalStage, isTerminal, stageJobId, stages } from '@bunri/queue-contracts';
import type { FlowQueue, Metrics, RecordStore } from '@bunri/runtime';
import type { Task } from '../task.ts';

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
  return async ({ signal }) => {
    const overdue = await closeOverdue(deps, signal);
    const unqueued = await repairUnqueued(deps, signal);
    const report = {
      overdue: overdue.closed,
      without_flow: unqueued.repaired,
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
    const results = await Promise.all(ids.map(async (id) => ({ id, ...(await records.fail(id, error)) })));
    const stale = results.filter(({ outcome }) => outcome !== 'ended').map(({ id }) => id);
    await dropFromIndexes(records, stale);
    dropped += stale.length;
    closed += ids.length - stale.length;
  }
}

/** Adds the flow of accepted requests that have none. Long queues are no reason: there the flow's root job exists. */
async function repairUnqueued({ records, flows, prefix, now = Date.now }: SweepDeps, signal: AbortSignal) {
  const acceptedBefore = now() - acceptanceMs;
  let repaired = 0;
  let dropped = 0;
  for (let offset = 0; ;) {
    signal.throwIfAborted();
    const ids = await records.unqueued(acceptedBefore, batch, offset);
    if (ids.length === 0) return { repaired, dropped };
    const stale: string[] = [];
    for (const id of await withoutRootJob(records, prefix, ids)) {
      const record = await records.get(id);
      if (record && !isTerminal(record.status)) {
        await flows.add(record.request);
        repaired += 1;
      } else {
        stale.push(id);
      }
    }
    await dropFromIndexes(records, stale);
    dropped += stale.length;
    // What was dropped has moved the rest of the index forward.
    offset += ids.length - stale.length;
  }
}

async function withoutRootJob({ redis }: RecordStore, prefix: string, ids: string[]): Promise<string[]> {
  const { queue } = stages[finalStage];
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.exists(`${prefix}:${queue}:${stageJobId(id, finalStage)}`);
  const replies = (await pipeline.exec()) ?? [];
  return ids.filter((_, i) => {
    const [error, exists] = replies[i] ?? [new Error('the pipeline gave no answer')];
    if (error) throw error;
    return exists === 0;
  });
}

/** Takes out entries whose record is gone, or closed without them. */
async function dropFromIndexes({ redis, keys }: RecordStore, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await redis
    .multi()
    .zrem(keys.deadlines, ...ids)
    .zrem(keys.unqueued, ...ids)
    .exec();
}
