import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { FlowProducer, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { createForecast } from '@bunri/api/forecast';
import { createRecordReader } from '@bunri/api/record-reader';
import { submit, type SubmitDeps } from '@bunri/api/submit';
import { buildFlow, finalStage, stages, type Request } from '@bunri/queue-contracts';
import {
  answerModels,
  connectProducer,
  connectSubscriber,
  createEventFeed,
  createFlowQueue,
  createLogger,
  createMetrics,
  createPipelineLoad,
  createRecordStore,
  createResultCache,
  createStorage,
  newRequestId,
  stageModels,
} from '@bunri/runtime';
import type { Connection, Variant } from './variant.ts';

/** Who sends requests to one side, and sees what becomes of them. */
export interface Submitter {
  /** Submits one request; resolves with its id when it is accepted. */
  submit(): Promise<string>;
  /** Submits one request; resolves with the ms until its completion was seen. @throws when it was not completed. */
  roundTrip(): Promise<number>;
  /** How many requests have ended, however they did. */
  ended(): Promise<number>;
  /** How many of these are completed. */
  completed(ids: readonly string[]): Promise<number>;
}

const roundTripTimeoutMs = 30_000;
/** As the settings have them by default. */
const models = { VISION_MODEL: 'gpt-5', LLM_MODEL: 'gpt-4o-mini' };

export async function createSubmitter(variant: Variant, connection: Connection): Promise<Submitter> {
  return variant === 'raw' ? await createRawSubmitter(connection) : await createBunriSubmitter(connection);
}

async function createRawSubmitter({ url, prefix }: Connection): Promise<Submitter> {
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const flows = new FlowProducer({ connection, prefix });
  const events = new QueueEvents(stages[finalStage].queue, { connection: connection.duplicate(), prefix });
  await events.waitUntilReady();
  const done = new Set<string>();
  events.on('completed', ({ jobId }) => done.add(jobId));
  const add = async () => await flows.add(buildFlow(newRequest()));
  return {
    submit: async () => {
      const { job } = await add();
      if (job.id === undefined) throw new Error('a job has no id');
      return job.id;
    },
    roundTrip: async () => {
      const startedAt = performance.now();
      const { job } = await add();
      await job.waitUntilFinished(events, roundTripTimeoutMs);
      return performance.now() - startedAt;
    },
    // A job that fails ends its worker process, and with it the run.
    ended: async () => await Promise.resolve(done.size),
    completed: async (ids) => await Promise.resolve(ids.filter((id) => done.has(id)).length),
  };
}

async function createBunriSubmitter({ url, prefix }: Connection): Promise<Submitter> {
  const log = createLogger({ app: 'bench', level: 'info' });
  const redis = connectProducer({ url, name: 'bench', log });
  const subscriber = connectSubscriber({ url, name: 'bench-events', log });
  await once(redis, 'ready');
  const records = createRecordStore({ redis, prefix });
  const feed = createEventFeed({ records, subscriber, log });
  const metrics = createMetrics({ app: 'bench' });
  const load = createPipelineLoad({ redis, prefix, models: stageModels(models), now: Date.now });
  const deps: SubmitDeps = {
    records,
    reader: createRecordReader({ records, now: Date.now }),
    flows: createFlowQueue({ redis, prefix }),
    forecast: createForecast({ records, load }),
    // Asked only where an answer is known, which is never: every photo is new.
    storage: createStorage({ bucket: 'none', region: 'us-east-1', endpoint: 'http://127.0.0.1:9' }),
    cache: createResultCache({ redis, prefix, metrics, log }),
    models: answerModels({ ...models, CONTEXT_TOKEN_BUDGET: 800 }),
    metrics,
    log,
  };
  const send = async () => (await submit(deps, newRequest())).record.request.id;
  return {
    submit: send,
    roundTrip: async () => {
      const startedAt = performance.now();
      const id = await send();
      let last = 'nothing';
      const onEvent = ({ type }: { readonly type: string }) => {
        last = type;
      };
      const how = await feed.follow(id, 0, onEvent, AbortSignal.timeout(roundTripTimeoutMs));
      const tookMs = performance.now() - startedAt;
      if (how !== 'ended' || last !== 'completed') throw new Error(`the events of ${id} ended with ${last} (${how})`);
      return tookMs;
    },
    ended: async () => await redis.zcard(records.keys.finished),
    completed: async (ids) => {
      const asking = redis.pipeline();
      for (const id of ids) asking.hget(records.keys.record(id), 'status');
      const answers = (await asking.exec()) ?? [];
      return answers.filter(([, status]) => status === 'completed').length;
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
    source: {
      kind: 'upload',
      key: `uploads/${id}`,
      sha256: randomBytes(32).toString('hex'),
      sizeBytes: 100_000,
    },
    priority: 'interactive',
    createdAt: now,
    deadlineAt: now + 600_000,
  };
}
