import { stageJobId, stageOrder, stages, type StageName } from '@bunri/queue-contracts';
import { flowOrder, stagesLeft, type FlowQueue, type Logger, type RecordStore } from '@bunri/runtime';
import { readable, results } from '../record-batches.ts';

const batch = 500;
/** A job that ends tells the record first, so that record and jobs disagree for moments only. */
const settledMs = 30_000;

interface Place {
  readonly id: string;
  /** The stage that the request waits for or is in. */
  readonly stage: StageName;
  readonly generation: number;
}

/**
 * Queues open requests again that have no job any more that could bring them on: it vanished, it ended without the record
 * hearing of it, or it waits for the job of an earlier stage that is not there or has ended. They go on from their first
 * stage without a result, under a new generation, so that what may be left of the old jobs is void. Each time counts as a
 * lost run of that stage, which bounds how often.
 */
export async function requeueStuck(
  deps: {
    readonly records: RecordStore;
    readonly flows: Pick<FlowQueue, 'add'>;
    readonly prefix: string;
    readonly now?: () => number;
  },
  signal: AbortSignal,
  log: Logger,
): Promise<number> {
  const { records, flows, prefix, now = Date.now } = deps;
  let requeued = 0;
  for (let offset = 0; ; offset += batch) {
    signal.throwIfAborted();
    const ids = await records.open(batch, offset);
    if (ids.length === 0) return requeued;
    const places = await placesOf(records, ids, now() - settledMs);
    for (const { id, stage, generation } of await stuck(records, prefix, places)) {
      const record = await readable(records, id, log);
      if (record === null || record === 'unreadable') continue;
      // The record hears of an end before the job does: one that has moved on by now had only been read in between.
      if (record.generation !== generation || stagesLeft(record)[0] !== stage) continue;
      const reopened = await records.reopen(record, { from: 'open' });
      if (reopened.outcome !== 'reopened') continue;
      await flows.add(flowOrder(reopened.record));
      log.warn('a request without a job was queued again', { request_id: id, stage: stagesLeft(record)[0] });
      requeued += 1;
    }
  }
}

/** Where the requests are that were begun, and have been at their stage since before `settledBefore`. */
async function placesOf({ redis, keys }: RecordStore, ids: string[], settledBefore: number): Promise<Place[]> {
  const pipeline = redis.pipeline();
  const statuses = stageOrder.map((stage) => `${stage}.status`);
  for (const id of ids) pipeline.hmget(keys.record(id), 'status', 'readyAt', 'generation', ...statuses);
  const records = (await results(pipeline)) as (string | null)[][];
  return ids.flatMap((id, i) => {
    const [status, readyAt, generation, ...of] = records[i] ?? [];
    const stage = stageOrder[of.findIndex((stageStatus) => stageStatus !== 'completed')];
    // One that no worker has taken yet is looked after by its index.
    if (status !== 'running' || Number(readyAt) > settledBefore || stage === undefined) return [];
    return [{ id, stage, generation: Number(generation ?? 0) }];
  });
}

async function stuck({ redis }: RecordStore, prefix: string, places: Place[]): Promise<Place[]> {
  if (places.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const { id, stage, generation } of places) {
    const own = stageJobId(id, stage, generation);
    const before = stageOrder[stageOrder.indexOf(stage) - 1] ?? stage;
    const queue = `${prefix}:${stages[stage].queue}`;
    // The child first: a parent that still waits after its child's end was read waits in vain.
    pipeline.hmget(
      `${prefix}:${stages[before].queue}:${stageJobId(id, before, generation)}`,
      'timestamp',
      'finishedOn',
    );
    pipeline.hmget(`${queue}:${own}`, 'timestamp', 'finishedOn');
    pipeline.zscore(`${queue}:waiting-children`, own);
  }
  const replies = await results(pipeline);
  return places.filter((_, i) => {
    const [before, own, waitsForChild] = replies.slice(i * 3, i * 3 + 3) as [Job, Job, string | null];
    return hasEnded(own) || (waitsForChild !== null && hasEnded(before));
  });
}

type Job = [timestamp: string | null, finishedOn: string | null];

/** Whether the job is gone or finished. */
function hasEnded([timestamp, finishedOn]: Job): boolean {
  return timestamp === null || finishedOn !== null;
}
