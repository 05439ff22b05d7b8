import type { Redis } from 'ioredis';
import { stageOrder, stages, type StageName } from '@bunri/queue-contracts';
import { serviceOf, usualService, type DurationCounts, type ServiceTime, type StageLoad } from './estimate.ts';
import { createKeys, dayInSeoul } from './keys.ts';
import { liveSlotsScript, sumSlots } from './stage-slots.ts';
import { durationClassesMs } from './statistics.ts';

export type PipelineLoad = ReturnType<typeof createPipelineLoad>;

/** A reading is good for this long, however many ask; in a rush that much may be admitted too many. */
const freshMs = 250;
/** What was counted is remembered this often, and for this long: durations are those of the last two minutes. */
const snapshotEveryMs = 10_000;
const windowMs = 120_000;

/** BullMQ writes this much, about, into the limiter's key to pause a queue; a count of jobs never comes near. */
const pausedAbove = Number.MAX_SAFE_INTEGER / 2;
/** BullMQ's score of a waiting job is its priority times this, plus a running number. */
const scorePerPriority = 2 ** 32;

type Snapshot = Readonly<Record<StageName, DurationCounts>>;

/** How many commands of a reading belong to a stage. */
const commandsAStage = 9;

/**
 * What the stages have to do and how fast they do it. Everything is read in one round trip, four times a second at most.
 *
 * How long a run takes is counted in the statistics of the day: the difference over up to two minutes, where it has 20 runs,
 * else the whole day's, else what was last known, else the stage's usual time.
 */
export function createPipelineLoad({ redis, prefix, now }: { redis: Redis; prefix: string; now: () => number }) {
  const keys = createKeys(prefix);
  const history: { at: number; day: string; counts: Snapshot }[] = [];
  const known = new Map<StageName, ServiceTime>();
  let latest: { at: number; loads: Promise<readonly StageLoad[]> } | undefined;

  async function load(): Promise<readonly StageLoad[]> {
    const at = now();
    const day = dayInSeoul(at);
    const commands = redis.pipeline();
    for (const stage of stageOrder) {
      const key = (name: string) => `${prefix}:${stages[stage].queue}:${name}`;
      commands
        .llen(key('wait'))
        .zcard(key('prioritized'))
        .llen(key('active'))
        .zcard(key('delayed'))
        .hexists(key('meta'), 'paused')
        .get(key('limiter'))
        .pttl(key('limiter'))
        .eval(liveSlotsScript, 1, keys.slots(stage))
        .hmget(keys.statistics(day), ...countersOf(stage));
    }
    const replies = await answersOf(commands);
    const parts = stageOrder.map((stage, i) => ({
      stage,
      replies: replies.slice(i * commandsAStage, (i + 1) * commandsAStage),
    }));
    const counts = Object.fromEntries(
      parts.map(({ stage, replies: of }) => [stage, countsFrom(of.at(-1))]),
    ) as unknown as Snapshot;
    remember({ at, day, counts });
    return parts.map(({ stage, replies: of }) => toLoad(stage, of, serviceNow(stage, counts[stage])));
  }

  function remember(snapshot: { at: number; day: string; counts: Snapshot }): void {
    while (history[0] && (history[0].day !== snapshot.day || history[0].at < snapshot.at - windowMs)) history.shift();
    const last = history.at(-1);
    if (!last || snapshot.at - last.at >= snapshotEveryMs) history.push(snapshot);
  }

  function serviceNow(stage: StageName, counts: DurationCounts): ServiceTime {
    const first = history[0]?.counts[stage];
    const recent = first && serviceOf(stage, difference(counts, first));
    const service = recent ?? serviceOf(stage, counts) ?? known.get(stage) ?? usualService(stage);
    known.set(stage, service);
    return service;
  }

  return {
    /** Every stage with all that waits in it, in the order of the pipeline, as it was at most a quarter of a second ago. */
    async read(): Promise<readonly StageLoad[]> {
      if (!latest || now() - latest.at >= freshMs) {
        const loads = load();
        const mine = { at: now(), loads };
        latest = mine;
        // A failure is told to whoever waits for it and then forgotten.
        loads.catch(() => {
          if (latest === mine) latest = undefined;
        });
      }
      return await latest.loads;
    },

    /** The same, with only those waiting jobs that a job of this priority, added now, would stand behind. */
    async readBefore(priority: number): Promise<readonly StageLoad[]> {
      const commands = redis.pipeline();
      for (const stage of stageOrder) {
        // First in, first out among equals: those of the same priority are before it, too.
        const end = `(${(priority + 1) * scorePerPriority}`;
        commands.zcount(`${prefix}:${stages[stage].queue}:prioritized`, '-inf', end);
      }
      const [loads, before] = await Promise.all([this.read(), answersOf(commands)]);
      return loads.map((of, i) => ({ ...of, waiting: Number(before[i]) }));
    },
  };
}

async function answersOf(commands: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  const replies = (await commands.exec()) ?? [];
  return replies.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
}

function toLoad(stage: StageName, replies: readonly unknown[], service: ServiceTime): StageLoad {
  const [wait, prioritized, active, delayed, stopped, limiter, limiterTtlMs, live] = replies;
  return {
    stage,
    // Jobs without a priority are not ours, but would go first.
    waiting: Number(wait) + Number(prioritized),
    active: Number(active),
    delayed: Number(delayed),
    stopped: Number(stopped) === 1,
    pausedMs: Number(limiter ?? 0) > pausedAbove ? Math.max(0, Number(limiterTtlMs)) : 0,
    ...sumSlots(live),
    service,
  };
}

const classNames = [...durationClassesMs.map(String), 'more'];

/** The fields of the daily statistics that tell how long a stage takes. */
function countersOf(stage: StageName): string[] {
  return [`cached:${stage}`, ...classNames.map((name) => `duration:${stage}:${name}`)];
}

function countsFrom(reply: unknown): DurationCounts {
  const [cached = 0, ...runs] = (Array.isArray(reply) ? reply : []).map((count) => Number(count ?? 0));
  return { runs, cached };
}

function difference(later: DurationCounts, earlier: DurationCounts): DurationCounts {
  return {
    runs: later.runs.map((count, i) => Math.max(0, count - (earlier.runs[i] ?? 0))),
    cached: Math.max(0, later.cached - earlier.cached),
  };
}
