import type { Redis } from 'ioredis';
import {
  isLookStage,
  priorityOf,
  stageNames,
  stages,
  type LookStage,
  type Request,
  type StageName,
} from '@bunri/queue-contracts';
import { serviceOf, usualService, type DurationCounts, type ServiceTime, type StageLoad } from './estimate.ts';
import { createKeys, dayInSeoul } from './keys.ts';
import { modelName } from './model-budget.ts';
import { modelRateFields, readModelRate, type ModelRate } from './model-budget-rate.ts';
import { liveSlotsScript, sumSlots } from './stage-slots.ts';
import { durationClassesMs } from './statistics.ts';

export type PipelineLoad = ReturnType<typeof createPipelineLoad>;

/** A reading is good for this long, however many ask; in a rush that much may be admitted too many. */
const freshMs = 1_000;
/** What was counted is remembered this often, and for this long: durations are those of the last two minutes. */
const snapshotEveryMs = 10_000;
const windowMs = 120_000;

/** BullMQ writes this much, about, into the limiter's key to pause a queue; a count of jobs never comes near. */
const pausedAbove = Number.MAX_SAFE_INTEGER / 2;
/** BullMQ's score of a waiting job is its priority times this, plus a running number. */
const scorePerPriority = 2 ** 32;

type Snapshot = Readonly<Record<StageName, DurationCounts>>;

/**
 * KEYS the prioritised jobs of each stage. ARGV 1 the score that they are counted up to. A script, and no pipeline of
 * ioredis, which copies all scripts of its connection into each pipeline: asked at every submission, that is dear.
 */
const countBeforeScript = `
local counts = {}
for i, key in ipairs(KEYS) do counts[i] = redis.call('ZCOUNT', key, '-inf', ARGV[1]) end
return counts`;

/** How many commands of a reading belong to a stage. */
const commandsAStage = 9;

/** The names of the models that stages call first. */
export type StageModels = Readonly<Partial<Record<StageName, string>>>;

/** Of the settings that the api shares with the workers: the first choices, at the primary provider. */
export function stageModels({ VISION_MODEL, LLM_MODEL }: { VISION_MODEL: string; LLM_MODEL: string }): StageModels {
  return { vision: modelName('primary', VISION_MODEL), llm: modelName('primary', LLM_MODEL) };
}

/**
 * What the stages have to do and how fast they do it. Everything is read in one round trip, once a second at most.
 *
 * How many calls a minute a stage's model admits, and until when none, its budget tells, as the workers keep it.
 *
 * How long a run takes is counted in the statistics of the day: the difference over up to two minutes, where it has 20 runs,
 * else the whole day's, else what was last known, else the stage's usual time.
 */
export function createPipelineLoad(options: { redis: Redis; prefix: string; models: StageModels; now: () => number }) {
  const { redis, prefix, models, now } = options;
  const keys = createKeys(prefix);
  const modelsOnce = [...new Set(Object.values(models))];
  const waitingKeys = stageNames.map((stage) => `${prefix}:${stages[stage].queue}:prioritized`);
  redis.defineCommand('bunri_countBefore', {
    lua: countBeforeScript,
    numberOfKeys: waitingKeys.length,
    readOnly: true,
  });
  const scripts = redis as unknown as { bunri_countBefore(...args: string[]): Promise<number[]> };
  const history: { at: number; day: string; counts: Snapshot }[] = [];
  const known = new Map<StageName, ServiceTime>();
  let latest: { at: number; loads: Promise<readonly StageLoad[]> } | undefined;

  async function load(): Promise<readonly StageLoad[]> {
    const at = now();
    const day = dayInSeoul(at);
    const commands = redis.pipeline();
    for (const stage of stageNames) {
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
    for (const model of modelsOnce) commands.hmget(keys.modelBudget(model), ...modelRateFields);
    // Budgets live by Redis's clock.
    commands.time();
    const replies = await answersOf(commands);
    const rates = ratesFrom(replies.slice(stageNames.length * commandsAStage));
    const parts = stageNames.map((stage, i) => ({
      stage,
      replies: replies.slice(i * commandsAStage, (i + 1) * commandsAStage),
    }));
    const counts = Object.fromEntries(
      parts.map(({ stage, replies: of }) => [stage, countsFrom(of.at(-1))]),
    ) as unknown as Snapshot;
    remember({ at, day, counts });
    return parts.map(({ stage, replies: of }) => {
      const load = toLoad(stage, of, serviceNow(stage, counts[stage]));
      const rate = rates(stage);
      return rate ? limitedBy(rate, load) : load;
    });
  }

  /** Stages that call the same model share what it admits. */
  function ratesFrom(replies: readonly unknown[]): (stage: StageName) => ModelRate | undefined {
    const [seconds, microseconds] = replies.at(-1) as [string, string];
    const at = Number(seconds) * 1000 + Number(microseconds) / 1000;
    return (stage) => {
      const model = models[stage];
      if (model === undefined) return undefined;
      const rate = readModelRate(replies[modelsOnce.indexOf(model)] as (string | null)[], at);
      const sharing = Object.values(models).filter((other) => other === model).length;
      return { ...rate, requestsPerMinute: rate.requestsPerMinute && rate.requestsPerMinute / sharing };
    };
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

  /** Every stage that there is. */
  async function readAll(): Promise<readonly StageLoad[]> {
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
  }

  return {
    /**
     * The stages of a request at which this stage looks at the photo, with all that waits in them, in the order of the pipeline,
     * as they were at most a second ago.
     */
    async read(look: LookStage = 'vision'): Promise<readonly StageLoad[]> {
      return onTheWay(await readAll(), look);
    },

    /**
     * The same, with only those waiting jobs that a job of this class and turn, added now, would stand behind. Whose the
     * delayed jobs are is not known, and thousands of batch may be delayed, which come after every interactive one: for that
     * only as many count as can be in its way at once, one a slot. What is counted is asked before this returns, so that a
     * command that the caller sends next is not in it.
     */
    async readBefore(
      priority: Request['priority'],
      turn: number,
      look: LookStage = 'vision',
    ): Promise<readonly StageLoad[]> {
      // First in, first out among equals: those of the same priority are before it, too.
      const end = `(${(priorityOf(priority, turn) + 1) * scorePerPriority}`;
      const counted = scripts.bunri_countBefore(...waitingKeys, end);
      const [loads, before] = await Promise.all([readAll(), counted]);
      return onTheWay(standingBehind(loads, priority, before), look);
    },

    /** The same of a job of an ordinary request, whose place at each of its stages was counted when it was accepted. */
    async readCounted(priority: Request['priority'], before: readonly number[]): Promise<readonly StageLoad[]> {
      return standingBehind(await this.read(), priority, before);
    },
  };
}

/** Of all stages those at one of which a request is looked at. */
function onTheWay(loads: readonly StageLoad[], look: LookStage): StageLoad[] {
  return loads.filter(({ stage }) => !isLookStage(stage) || stage === look);
}

function standingBehind(
  loads: readonly StageLoad[],
  priority: Request['priority'],
  before: readonly number[],
): StageLoad[] {
  return loads.map((of, i) => ({
    ...of,
    waiting: Number(before[i]),
    delayed: priority === 'interactive' ? Math.min(of.delayed, of.slots) : of.delayed,
  }));
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

function limitedBy({ waitMs, requestsPerMinute }: ModelRate, load: StageLoad): StageLoad {
  return { ...load, pausedMs: Math.max(load.pausedMs, waitMs), requestsPerMinute };
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
