// Batches in a real Redis and a real bucket, with workers that are played, for the tests of this folder.
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { failure, type Batch, type FailureCode } from '@bunri/queue-contracts';
import {
  connectProducer,
  createLogger,
  createMetrics,
  createRecordStore,
  createStorage,
  type RecordStore,
  type Storage,
} from '@bunri/runtime';
import { until } from '@bunri/testkit/until';
import { chunkOf, rowsPerChunk } from './batch-keys.ts';
import { toBatch } from './batch-state.ts';
import { createBatchStore, newBatchId, type BatchStore, type FlightLimits } from './batch-store.ts';
import { putRows } from './chunks.ts';
import { createFeeder } from './feeder.ts';
import type { FeederDeps } from './feeder-deps.ts';
import type { Row } from './row.ts';

export interface BatchRig {
  readonly redis: Redis;
  readonly prefix: string;
  readonly records: RecordStore;
  readonly storage: Storage;
  readonly store: BatchStore;
  readonly deps: FeederDeps;
  /** Ids of requests, in the order in which they were accepted. */
  readonly accepted: string[];
  /** A batch of so many rows that is ready to run. @returns its id */
  begin(
    total: number,
    options?: { maxUsd?: number; rowEstimateUsd?: number | null; deadlineMs?: number; invalid?: number[] },
  ): Promise<string>;
  /** Plays the workers for every row in flight. */
  endFlight(id: string, how?: (row: number) => 'completed' | FailureCode): Promise<void>;
  /** The batch as clients see it. */
  batchOf(id: string): Promise<Batch>;
  /** Looks and plays the workers until the batch rests. */
  runToRest(id: string, deps?: FeederDeps, how?: Parameters<BatchRig['endFlight']>[1]): Promise<void>;
  /** Keys of the objects of a folder. */
  objects(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

export const rowCostUsd = 0.01;

const answer = {
  guidance: {
    answer: 'Empty it, and put it into the bin for plastics.',
    steps: [],
    missing: [],
    warnings: [],
    sources: [],
  },
  engine: { provider: 'simulator', model: 'simulator/gpt-4o-mini' },
  usage: { input_tokens: 10, output_tokens: 10, cost_usd: rowCostUsd },
  droppedSteps: 0,
};

export async function openBatchRig(limits: FlightLimits = { ofBatch: 200, ofAll: 1_000 }): Promise<BatchRig> {
  const { env } = process;
  const prefix = `{t${randomUUID()}}`;
  const log = createLogger({ app: 'batches', level: 'error', silent: true });
  const redis = connectProducer({ url: env['REDIS_URL'] ?? '', name: 'test', log });
  await until(() => redis.status === 'ready');
  const storage = createStorage({
    bucket: `t-${randomUUID()}`,
    region: env['S3_REGION'] ?? 'us-east-1',
    endpoint: env['S3_ENDPOINT'],
    accessKeyId: env['S3_ACCESS_KEY_ID'],
    secretAccessKey: env['S3_SECRET_ACCESS_KEY'],
  });
  await storage.createBucket();
  const records = createRecordStore({ redis, prefix });
  const store = createBatchStore({ redis, prefix });
  const accepted: string[] = [];
  const deps: FeederDeps = {
    store,
    records,
    storage,
    submitRow: async (request, key) => {
      const idempotency = key === undefined ? {} : { idempotency: { key, fingerprint: request.question } };
      const { outcome, id } = await records.accept(request, idempotency);
      if (outcome === 'accepted') accepted.push(id);
      return outcome === 'conflict'
        ? { outcome: 'refused', message: 'The key is taken.' }
        : { outcome: 'accepted', id };
    },
    removeRequest: async (id, { owner }) => {
      await records.remove(id, owner);
      return true;
    },
    refusalOf: async () => await Promise.resolve(null),
    limits,
    metrics: createMetrics({ app: 'batches', processMetrics: false }),
    log,
    now: Date.now,
  };

  async function end(requestId: string, how: 'completed' | FailureCode): Promise<void> {
    if (how !== 'completed') {
      await records.fail(requestId, failure(how, 'It failed.'));
      return;
    }
    const run = { id: requestId, stage: 'llm', token: randomUUID() } as const;
    await records.start(run);
    await records.finish(run, { output: answer, durationMs: 1, cached: false });
  }

  const rig: BatchRig = {
    redis,
    prefix,
    records,
    storage,
    store,
    deps,
    accepted,
    async begin(total, { maxUsd, rowEstimateUsd = 0, deadlineMs = 3_600_000, invalid = [] } = {}) {
      const id = newBatchId();
      await store.create({ id, owner: 'ann', locale: 'ko', deadlineMs }, { createdAt: Date.now(), maxUsd });
      for (let row = 1; row <= total; row += rowsPerChunk) {
        const count = Math.min(rowsPerChunk, total - row + 1);
        const rows = Array.from({ length: count }, (_, i) => (invalid.includes(row + i) ? null : rowOf(row + i)));
        await putRows(storage, id, chunkOf(row), rows);
      }
      const estimate =
        rowEstimateUsd === null ? null : { totalUsd: rowEstimateUsd * total, dearestRowUsd: rowEstimateUsd };
      await store.begin(id, { total, estimate, invalid, errorFile: [] });
      return id;
    },
    async endFlight(id, how = () => 'completed') {
      const flight = await store.flight(id);
      await Promise.all([...flight].map(async ([row, requestId]) => await end(requestId, how(row))));
    },
    async batchOf(id) {
      const state = await store.get(id);
      if (!state) throw new Error(`${id} is gone`);
      return toBatch(state);
    },
    async runToRest(id, given = deps, how) {
      const look = createFeeder(given);
      while ((await look(id)) !== null) await rig.endFlight(id, how);
    },
    async objects(folder) {
      const found: string[] = [];
      for await (const page of storage.list(folder)) found.push(...page.map(({ key }) => key));
      return found;
    },
    async close() {
      const left = await redis.keys(`${prefix}*`);
      if (left.length > 0) await redis.unlink(...left);
      redis.disconnect();
      storage.close();
    },
  };
  return rig;
}

export function rowOf(row: number): Row {
  return { row, image: { kind: 'url', url: `https://photos.example/${row}.jpg` }, question: `What is ${row}?` };
}
