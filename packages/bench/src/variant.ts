import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { FlowProducer, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { buildFlow, finalStage, stages, type Request, type StageName, type StageOutput } from '@bunri/queue-contracts';
import {
  connectConsumer,
  connectProducer,
  connectSubscriber,
  createEventFeed,
  createFlowQueue,
  createLogger,
  createMetrics,
  createProcessLife,
  createRecordStore,
  newRequestId,
  serveStage,
} from '@bunri/runtime';

/** The two sides of every comparison: BullMQ alone, with the flow that bunri uses, and bunri's runtime around it. */
export const variants = ['raw', 'bunri'] as const;
export type Variant = (typeof variants)[number];

export interface Connection {
  readonly url: string;
  readonly prefix: string;
}

/** Serves one stage with a handler that does nothing, until the process ends. */
export async function serveNoop(variant: Variant, stage: StageName, { url, prefix }: Connection): Promise<void> {
  if (variant === 'raw') {
    const connection = new Redis(url, { maxRetriesPerRequest: null });
    const worker = new Worker(
      stages[stage].queue,
      async (job) => {
        if (stage !== 'preprocess') await job.getChildrenValues();
        return { ok: stage };
      },
      { connection, prefix, concurrency: slots(stage), settings: { backoffStrategy: () => 1000 } },
    );
    worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
    await worker.waitUntilReady();
    return;
  }
  const log = createLogger({ app: 'bench', level: 'info' });
  const output = fixtureOutput(stage);
  const redis = connectConsumer({ url, name: 'bench', log });
  await serveStage({
    stage,
    handler: async () => await Promise.resolve({ output, cached: false }),
    redis,
    records: createRecordStore({ redis, prefix }),
    subscriber: connectSubscriber({ url, name: 'bench-events', log }),
    prefix,
    life: createProcessLife({ log, graceMs: 1_000 }),
    graceMs: 1_000,
    log,
    metrics: createMetrics({ app: 'bench' }),
    concurrency: slots(stage),
  });
}

/** The slots of all replicas of the stage in one process, so that both sides run as four workers. */
function slots(stage: StageName): number {
  return stages[stage].concurrency * stages[stage].replicas;
}

function fixtureOutput<S extends StageName>(stage: S): StageOutput<S> {
  const file = new URL(`../../queue-contracts/fixtures/${stage}.v1.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { output: StageOutput<S> }).output;
}

export interface Client {
  /** Submits one request; resolves when it is accepted. */
  submit(): Promise<string>;
  /** Submits one request; resolves with the ms until its completion was seen. */
  roundTrip(): Promise<number>;
  /** How many requests of this run have ended. */
  ended(): Promise<number>;
  close(): Promise<void>;
}

export async function createClient(variant: Variant, connection: Connection): Promise<Client> {
  return variant === 'raw' ? await createRawClient(connection) : await createBunriClient(connection);
}

async function createRawClient({ url, prefix }: Connection): Promise<Client> {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const flows = new FlowProducer({ connection, prefix });
  const events = new QueueEvents(stages[finalStage].queue, { connection: connection.duplicate(), prefix });
  await events.waitUntilReady();
  let ended = 0;
  events.on('completed', () => {
    ended += 1;
  });
  const add = async () => await flows.add(buildFlow(newRequest()));
  return {
    submit: async () => (await add()).job.id ?? '',
    roundTrip: async () => {
      const startedAt = performance.now();
      const { job } = await add();
      await job.waitUntilFinished(events);
      return performance.now() - startedAt;
    },
    ended: async () => await Promise.resolve(ended),
    close: async () => {
      await events.close();
      await flows.close();
      connection.disconnect();
    },
  };
}

async function createBunriClient({ url, prefix }: Connection): Promise<Client> {
  const log = createLogger({ app: 'bench', level: 'warn' });
  const redis = connectProducer({ url, name: 'bench', log });
  const subscriber = connectSubscriber({ url, name: 'bench-events', log });
  await once(redis, 'ready');
  const records = createRecordStore({ redis, prefix });
  const flows = createFlowQueue({ redis, prefix });
  const feed = createEventFeed({ records, subscriber, log });
  const before = await redis.zcard(records.keys.finished);
  const submit = async () => {
    const request = newRequest();
    await records.accept(request);
    await flows.add(request);
    return request.id;
  };
  return {
    submit,
    roundTrip: async () => {
      const startedAt = performance.now();
      await feed.follow(await submit(), 0, () => undefined, AbortSignal.timeout(30_000));
      return performance.now() - startedAt;
    },
    ended: async () => (await redis.zcard(records.keys.finished)) - before,
    close: async () => {
      await flows.close();
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

function newRequest(): Request {
  const id = newRequestId();
  const now = Date.now();
  return {
    id,
    owner: 'bench',
    question: 'Do I have to take the label off?',
    locale: 'en',
    source: { kind: 'upload', key: `uploads/${id}`, sha256: 'a'.repeat(64), sizeBytes: 100_000 },
    priority: 'interactive',
    createdAt: now,
    deadlineAt: now + 600_000,
  };
}
