import { Queue } from 'bullmq';
import { failure, stageJobId, stages, type LookStage } from '@bunri/queue-contracts';
import type { Logger, RecordStore } from '@bunri/runtime';
import type { Place } from './requeue-stuck.ts';

/** Until the next sweep but one: what is left of a request by then is too little for the stages after a look. */
const lastCallMs = 75_000;
const message = 'No worker came to look in time. Send the request again to have both engines look.';

interface Deps {
  readonly records: RecordStore;
  readonly prefix: string;
  readonly now: () => number;
}

/**
 * Lets requests that two look at go on with the answer that is there, where the other look is late: the local one as soon
 * as such requests are looked at, which is half a minute after the first answer; that of the API, which may wait for its
 * limits, only where the next sweep would be too late. A look that a worker holds is left to it: its own time is bounded.
 *
 * The record hears of it first. Should this process die before the job is removed, which hands rag on, the next sweep
 * finds the look given up and its job still there.
 *
 * @returns how many go on
 */
export async function goOnWithout(
  { records, prefix, now }: Deps,
  places: readonly Place[],
  log: Logger,
): Promise<number> {
  const late = places.flatMap((place) => {
    const look = lateLook(place, now());
    return look === undefined ? [] : [{ ...place, look }];
  });
  let goneOn = 0;
  for (const look of new Set(late.map((place) => place.look))) {
    const queue = new Queue(stages[look].queue, { connection: records.redis, prefix });
    try {
      for (const place of late) {
        if (place.look === look && (await giveUp(records, queue, place, log))) goneOn += 1;
      }
    } finally {
      await queue.close();
    }
  }
  return goneOn;
}

interface Late extends Place {
  readonly look: LookStage;
}

async function giveUp(
  records: RecordStore,
  queue: Queue,
  { id, generation, look, statuses }: Late,
  log: Logger,
): Promise<boolean> {
  const job = await queue.getJob(stageJobId(id, look, generation));
  const isHeld = job && (await records.redis.exists(`${queue.toKey(job.id ?? '')}:lock`)) === 1;
  if (!job || job.finishedOn !== undefined || isHeld) return false;
  const { outcome } = await records.giveUp({ id, stage: look, generation }, failure('stage_timeout', message, look));
  // It came in this very moment, or the request has ended.
  if (outcome !== 'given up' && statuses.get(look) !== 'failed') return false;
  // One that was taken in this moment finds its stage given up, and ends by itself.
  await job.remove().catch((error: unknown) => log.debug('a late look was just taken', { request_id: id, error }));
  log.warn('a request goes on without one of two looks', { request_id: id, stage: look });
  return true;
}

/** Of two looks the one that has not ended, or whose job may be left of one that was given up. */
function lateLook({ looks, statuses, deadlineAt }: Place, at: number): LookStage | undefined {
  if (looks.length < 2 || statuses.get('rag') !== 'pending') return undefined;
  const late = looks.find((look) => statuses.get(look) !== 'completed');
  if (late === undefined || !looks.some((look) => statuses.get(look) === 'completed')) return undefined;
  const isDue = late === 'vision.local' || statuses.get(late) === 'failed' || deadlineAt - at < lastCallMs;
  return isDue ? late : undefined;
}
