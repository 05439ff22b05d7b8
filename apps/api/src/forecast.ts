import { firstStage, isLookStage, looksOf, type LookStage, type Request, type StageName } from '@bunri/queue-contracts';
import { estimate, type Estimate, type PipelineLoad, type RecordStore, type StageLoad } from '@bunri/runtime';
import * as z from 'zod';

type PriorityClass = Request['priority'];

const completionSchema = z.object({ p50: z.iso.datetime(), p95: z.iso.datetime() }).meta({
  id: 'EstimatedCompletion',
  description: 'When the answer is expected: as likely before as after, and at 95 %.',
});

/** What an accepted request that no worker has taken yet is told of its place. */
export const placeSchema = z.object({
  position: z.int().nonnegative().nullable().meta({
    description: 'Requests before this one, those in work included; null once it is in work itself.',
  }),
  estimated_completion: completionSchema.nullable().meta({
    description: 'Null where nobody can tell, as while a stage has no live worker.',
  }),
});
export type Place = z.infer<typeof placeSchema>;
export const unknownPlace: Place = { position: null, estimated_completion: null };

const seconds = z.number().nonnegative().nullable();

export const forecastSchema = z
  .object({
    position: z.int().nonnegative().meta({ description: 'Requests that would be before it, those in work included.' }),
    p50_seconds: seconds,
    p95_seconds: seconds.meta({ description: 'Null where nobody can tell, as while a stage has no live worker.' }),
  })
  .meta({ id: 'Forecast' });

/** The part of a request that its way through the stages depends on. */
export interface Way {
  /** The first stage that has anything to do. Default: the first of all. */
  readonly from?: StageName | undefined;
  /** Who looks at the photo. Default: the usual model. */
  readonly models?: Request['models'];
}

/** What is known, before it is done, of how long a request will take. */
export interface Forecast {
  /** Of a request that waited for everything that waits now; a second old at most, and cheap. */
  ofLast(way?: Way): Promise<Estimate>;
  /** Of a request that this owner would submit now. */
  ofNext(owner: string, priority: PriorityClass, way?: Way): Promise<Estimate>;
  /** Of a request of this turn that is queued next: what the caller sends to Redis after this call is not counted. */
  ofTurn(priority: PriorityClass, turn: number, way?: Way): Promise<Estimate>;
  /** Of a request for the usual model that stands behind so many jobs in the queue of each stage. */
  ofCounted(priority: PriorityClass, before: readonly number[], from?: StageName): Promise<Estimate>;
  /** Of a request that has been queued at this turn and that no worker has taken. */
  ofQueued(priority: PriorityClass, turn: number, way?: Way): Promise<Estimate>;
}

export function createForecast({
  records,
  load,
}: {
  records: Pick<RecordStore, 'nextTurn'>;
  load: PipelineLoad;
}): Forecast {
  /** Of two looks at the same photo the later one decides. */
  async function ofWay(
    { from, models }: Way,
    read: (look: LookStage) => Promise<readonly StageLoad[]>,
    change: (loads: readonly StageLoad[]) => readonly StageLoad[] = (loads) => loads,
  ): Promise<Estimate> {
    const each = await Promise.all(
      looksOf(models).map(async (look) => estimate(change(onTheWay(await read(look), from)))),
    );
    return each.reduce(later);
  }

  return {
    async ofLast(way = {}) {
      return await ofWay(way, async (look) => await load.read(look));
    },
    async ofNext(owner, priority, way = {}) {
      const turn = await records.nextTurn(owner, priority);
      return await ofWay(way, async (look) => await load.readBefore(priority, turn, look));
    },
    async ofTurn(priority, turn, way = {}) {
      return await ofWay(way, async (look) => await load.readBefore(priority, turn, look));
    },
    async ofCounted(priority, before, from) {
      return estimate(onTheWay(await load.readCounted(priority, before), from));
    },
    async ofQueued(priority, turn, way = {}) {
      return await ofWay(way, async (look) => await load.readBefore(priority, turn, look), withoutItself);
    },
  };
}

/** Where nobody can tell of one, nobody can tell of both. */
function later(one: Estimate, other: Estimate): Estimate {
  const position = Math.max(one.position, other.position);
  if (!one.completion || !other.completion) return { position, completion: null };
  return { position, completion: one.completion.p95Ms < other.completion.p95Ms ? other.completion : one.completion };
}

function onTheWay(loads: readonly StageLoad[], from: StageName = firstStage): readonly StageLoad[] {
  // A request that goes on with a look goes on with any that it has.
  return loads.slice(loads.findIndex(({ stage }) => stage === from || (isLookStage(from) && isLookStage(stage))));
}

/** A request in the queue stands behind all of its turn, itself too. */
function withoutItself([first, ...rest]: readonly StageLoad[]): StageLoad[] {
  return first ? [{ ...first, waiting: Math.max(0, first.waiting - 1) }, ...rest] : [];
}

export function toPlace({ position, completion }: Estimate, now: number): Place {
  const at = (ms: number) => new Date(now + ms).toISOString();
  return { position, estimated_completion: completion && { p50: at(completion.p50Ms), p95: at(completion.p95Ms) } };
}

export function toForecast({ position, completion }: Estimate): z.infer<typeof forecastSchema> {
  const inSeconds = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms) / 1000);
  return { position, p50_seconds: inSeconds(completion?.p50Ms), p95_seconds: inSeconds(completion?.p95Ms) };
}
