import { stageJobId, stageNames, stages, usualLooks, type LookStage, type StageName } from '@bunri/queue-contracts';
import { flowOrder, stagesLeft, type FlowQueue, type Logger, type RecordStore } from '@bunri/runtime';
import { readable, results } from '../record-batches.ts';
import { goOnWithout } from './late-looks.ts';

const batch = 500;
/** A job that ends tells the record first, so that record and jobs disagree for moments only. */
const settledMs = 30_000;

export interface Place {
  readonly id: string;
  /** The stage that the request waits for or is in; of two that look, the first that is not done with. */
  readonly stage: StageName;
  readonly generation: number;
  /** Since when the record stands as it does, epoch ms. */
  readonly readyAt: number;
  readonly deadlineAt: number;
  readonly looks: readonly LookStage[];
  readonly statuses: ReadonlyMap<StageName, string>;
}

/**
 * Queues open requests again that have no job any more that could bring them on: it vanished, it ended without the record
 * hearing of it, or it waits for the job of an earlier stage that is not there or has ended. They go on from their first
 * stage without a result, under a new generation, so that what may be left of the old jobs is void. Each time counts as a
 * lost run of that stage, which bounds how often. Where one of two looks is late, the request goes on with the other.
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
): Promise<{ requeued: number; withoutLook: number }> {
  const { records, flows, prefix, now = Date.now } = deps;
  let [requeued, withoutLook] = [0, 0];
  for (let offset = 0; ; offset += batch) {
    signal.throwIfAborted();
    const ids = await records.open(batch, offset);
    if (ids.length === 0) return { requeued, withoutLook };
    const places = await placesOf(records, ids, now() - settledMs);
    withoutLook += await goOnWithout({ records, prefix, now }, places, log);
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
  const statuses = stageNames.map((stage) => `${stage}.status`);
  for (const id of ids) {
    pipeline.hmget(keys.record(id), 'status', 'readyAt', 'generation', 'deadlineAt', 'looks', ...statuses);
  }
  const records = (await results(pipeline)) as (string | null)[][];
  return ids.flatMap((id, i) => {
    const [status, readyAt, generation, deadlineAt, looks, ...of] = records[i] ?? [];
    const place = {
      id,
      generation: Number(generation ?? 0),
      readyAt: Number(readyAt),
      deadlineAt: Number(deadlineAt),
      looks: looks ? (looks.split(',') as LookStage[]) : usualLooks,
      statuses: new Map(stageNames.map((name, place) => [name, of[place] ?? 'pending'])),
    };
    const stage = stageAt(place);
    // One that no worker has taken yet is looked after by its index.
    return status !== 'running' || place.readyAt > settledBefore || !stage ? [] : [{ ...place, stage }];
  });
}

/** The first stage that is not done with; undefined where all are. One that looks is, once rag has gone on. */
function stageAt({ looks, statuses }: Pick<Place, 'looks' | 'statuses'>): StageName | undefined {
  const isOpen = (name: StageName) => statuses.get(name) !== 'completed';
  const isLooking = (look: StageName) => isOpen(look) && statuses.get(look) !== 'failed' && isOpen('rag');
  return (['preprocess', ...looks, 'rag', 'llm'] as const).find((name) =>
    looks.some((look) => look === name) && looks !== usualLooks ? isLooking(name) : isOpen(name),
  );
}

/** The job of a stage, and whether it waits for those before it. */
interface Standing {
  readonly hasEnded: boolean;
  readonly waits: boolean;
}

async function stuck({ redis }: RecordStore, prefix: string, places: Place[]): Promise<Place[]> {
  if (places.length === 0) return [];
  const pipeline = redis.pipeline();
  const asked = places.map((place) => [...new Set([...before(place), place.stage, ...after(place)])]);
  for (const [i, { id, generation }] of places.entries()) {
    // The child first: a parent that still waits after its child's end was read waits in vain.
    for (const stage of asked[i] ?? []) {
      const job = stageJobId(id, stage, generation);
      const queue = `${prefix}:${stages[stage].queue}`;
      pipeline.hmget(`${queue}:${job}`, 'timestamp', 'finishedOn');
      pipeline.zscore(`${queue}:waiting-children`, job);
    }
  }
  const replies = await results(pipeline);
  let next = 0;
  return places.filter((place, i) => {
    const jobs = new Map<StageName, Standing>();
    for (const stage of asked[i] ?? []) {
      const [job, waits] = replies.slice(next, next + 2) as [Job, string | null];
      jobs.set(stage, { hasEnded: hasEnded(job), waits: waits !== null });
      next += 2;
    }
    return isStuck(place, (stage) => jobs.get(stage) ?? { hasEnded: true, waits: false });
  });
}

/** Whose jobs the stage's job waits for. */
function before({ stage, looks }: Place): readonly StageName[] {
  if (stage === 'llm') return ['rag'];
  if (stage === 'rag') return looks;
  return ['preprocess'];
}

/** Of two that look, the job of the other, and that of rag, which waits for both. */
function after({ stage, looks }: Place): readonly StageName[] {
  return looks.length > 1 && looks.some((look) => look === stage) ? [...looks, 'rag'] : [];
}

function isStuck(place: Place, job: (stage: StageName) => Standing): boolean {
  const { stage, looks, statuses } = place;
  const isVain = (name: StageName, children: readonly StageName[]) =>
    job(name).hasEnded || (job(name).waits && children.every((child) => job(child).hasEnded));
  if (after(place).length === 0) return isVain(stage, before(place));
  // Rag that does not wait any more has been handed on, and will say what is missing.
  if (job('rag').hasEnded) return true;
  const open = looks.filter((look) => !['completed', 'failed'].includes(statuses.get(look) ?? ''));
  return job('rag').waits && open.some((look) => isVain(look, look === 'vision' ? ['preprocess'] : []));
}

type Job = [timestamp: string | null, finishedOn: string | null];

/** Whether the job is gone or finished. */
function hasEnded([timestamp, finishedOn]: Job): boolean {
  return timestamp === null || finishedOn !== null;
}
