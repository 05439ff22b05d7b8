// A whole pipeline on a real Redis, for the tests of this folder.
import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  looksOf,
  stageJobId,
  stageNames,
  stageOrder,
  stages,
  type Request,
  type StageInput,
  type StageName,
  type StageOutput,
} from '@bunri/queue-contracts';
import { patienceMs } from '@bunri/testkit/until';
import { createResultCache } from './cache.ts';
import { createFlowQueue, newRequestId } from './enqueue.ts';
import { createEventFeed } from './feed.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createProcessLife, type ProcessLife } from './process.ts';
import { createRecordStore } from './records.ts';
import { createSingleFlight } from './single-flight.ts';
import { serveStage } from './stage.ts';
import type { Handler, HandlerContext } from './stage-run.ts';

const usage = { input_tokens: 1, output_tokens: 1, cost_usd: 0.5 };
const engine = { provider: 'fake', model: 'fake-1' };
export const outputs: { [S in StageName]: StageOutput<S> } = {
  preprocess: { sha256: 'a'.repeat(64), key: 'images/a.jpg', width: 10, height: 10, sizeBytes: 100 },
  vision: {
    classification: {
      waste_category: 'recyclable',
      subcategory: '무색페트병',
      item_id: 'clear-pet-bottle',
      item_name: '페트병',
      confidence: 0.9,
      condition: { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' },
      engine,
    },
    usage,
  },
  'vision.local': {
    classification: {
      waste_category: 'recyclable',
      subcategory: '플라스틱류',
      item_id: null,
      item_name: 'something of plastic',
      confidence: 0.5,
      condition: { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown' },
      engine: { provider: 'local', model: 'materials@1' },
    },
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  },
  rag: {
    item_id: null,
    item_name: '페트병',
    match: 'category',
    candidates: [],
    sentences: [],
    catalogue_version: 'v1',
    tokens: 0,
  },
  llm: {
    guidance: {
      answer: 'Rinse it.',
      steps: [{ text: 'Rinse.', rule_ids: ['r1'] }],
      missing: [],
      warnings: [],
      sources: [],
    },
    engine,
    usage,
    droppedSteps: 0,
  },
};

const closers: (() => Promise<void>)[] = [];
/** To be awaited after each test: stops what it started, the last first. */
export async function closePipelines(): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

type Handlers = { [S in StageName]?: (context: HandlerContext, input: StageInput<S>) => Promise<StageOutput<S>> };

interface PipelineOptions {
  readonly graceMs?: number;
  readonly lock?: { readonly durationMs: number; readonly stalledCheckMs: number };
  /** Stages that the test serves itself. */
  readonly without?: readonly StageName[];
  /** Serves the local look too. Default false. */
  readonly local?: boolean;
  /** Default: those of the catalogue. */
  readonly concurrency?: number;
  /** Before a job that waits for another's work looks again, ms. Default: that of `createSingleFlight`. */
  readonly longestWaitMs?: number;
  /** Where another Redis than that of all tests is to be used. */
  readonly at?: { readonly prefix: string; readonly connect: () => Redis };
}

/** All four stages on a real Redis; a stage without a handler of the test's own answers at once. */
export async function startPipeline(handlers: Handlers = {}, options: PipelineOptions = {}) {
  const { graceMs = 5_000, lock, without = [], local = false, concurrency, longestWaitMs, at } = options;
  const prefix = at?.prefix ?? `{t${randomUUID()}}`;
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const redis = at?.connect() ?? new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
  const connections = [redis];
  const connect = () => {
    const duplicate = at?.connect() ?? redis.duplicate();
    connections.push(duplicate);
    return duplicate;
  };
  closers.push(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    for (const connection of connections) connection.disconnect();
  });
  const records = createRecordStore({ redis, prefix });
  const feed = createEventFeed({ records, subscriber: connect(), log });
  const flows = createFlowQueue({ redis, prefix });
  const cache = createResultCache({ redis, prefix });
  const flights = createSingleFlight({ redis, prefix, stage: 'vision', metrics, longestWaitMs });
  const visionQueue = new Queue(stages.vision.queue, { connection: redis, prefix });
  visionQueue.on('error', () => undefined);
  const waiting = async () => await visionQueue.getDelayedCount();
  const runs = Object.fromEntries((local ? stageNames : stageOrder).map((stage) => [stage, 0])) as Record<
    StageName,
    number
  >;

  const serve = async (stage: StageName): Promise<ProcessLife> => {
    const life = createProcessLife({ log, graceMs });
    const handler: Handler<typeof stage> = async (input, context) => {
      runs[stage] += 1;
      const own = handlers[stage] as
        | ((of: HandlerContext, on: typeof input) => Promise<StageOutput<typeof stage>>)
        | undefined;
      return { output: own ? await own(context, input) : outputs[stage], cached: false };
    };
    const shared = { redis, records, subscriber: connect(), prefix, life, graceMs, log, metrics, concurrency };
    await serveStage({ stage, handler, ...shared, ...(lock ? { lock } : {}) });
    closers.push(async () => void (await life.stop('test')));
    return life;
  };
  const lives = Object.fromEntries(
    await Promise.all(
      stageNames
        .filter((stage) => !without.includes(stage) && (local || stage !== 'vision.local'))
        .map(async (stage) => [stage, await serve(stage)] as const),
    ),
  ) as Record<StageName, ProcessLife>;

  const submit = async (
    over: Partial<Request> = {},
    given: Partial<Record<StageName, unknown>> = {},
  ): Promise<string> => {
    const request: Request = {
      id: newRequestId(),
      owner: 'ann',
      question: 'How?',
      locale: 'en',
      source: { kind: 'upload', key: 'uploads/x', sha256: 'b'.repeat(64), sizeBytes: 10 },
      priority: 'interactive',
      createdAt: Date.now(),
      deadlineAt: Date.now() + 600_000,
      ...over,
    };
    const { turn } = await records.accept(request, { outputs: given });
    const from = stageOrder.find((stage) => !(stage in given));
    const looks = request.models ? { looks: looksOf(request.models) } : {};
    await flows.add({ ...request, turn, ...(from ? { from } : {}), ...looks });
    return request.id;
  };
  const ended = async (id: string) => {
    const types: string[] = [];
    await feed.follow(id, 0, ({ type }) => types.push(type), AbortSignal.timeout(patienceMs));
    const record = await records.get(id);
    if (!record) throw new Error('no record');
    return { record, types };
  };
  const job = async (id: string, stage: StageName) => {
    const queue = new Queue(stages[stage].queue, { connection: redis, prefix });
    return await queue.getJob(stageJobId(id, stage));
  };
  /** Ends the lock of a stage's job, as an outage of Redis does that lasts longer than the lock. */
  const loseLock = async (id: string, stage: StageName) =>
    await redis.del(`${prefix}:${stages[stage].queue}:${stageJobId(id, stage)}:lock`);
  return {
    redis,
    prefix,
    flows,
    loseLock,
    submit,
    ended,
    runs,
    records,
    lives,
    serve,
    job,
    feed,
    cache,
    flights,
    waiting,
  };
}
