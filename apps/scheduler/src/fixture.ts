import type { Redis } from 'ioredis';
import type { Request } from '@bunri/queue-contracts';
import {
  closeRedis,
  connectConsumer,
  createLogger,
  createMetrics,
  createRecordStore,
  createStorage,
  newRequestId,
  type Logger,
  type Metrics,
  type RecordStore,
  type Storage,
} from '@bunri/runtime';
import type { TaskRun } from './task.ts';

export interface World {
  readonly prefix: string;
  readonly log: Logger;
  readonly redis: Redis;
  readonly metrics: Metrics;
  readonly records: RecordStore;
  close(): Promise<void>;
}

/** For tests: a connection, and a part of Redis that nobody else uses. */
export function openWorld(env: Record<string, string | undefined>, now: () => number = Date.now): World {
  const prefix = `{${newRequestId()}}`;
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const redis = connectConsumer({ url: env['REDIS_URL'] ?? '', name: 'test', log });
  return {
    prefix,
    log,
    redis,
    metrics: createMetrics({ app: 'test', processMetrics: false }),
    records: createRecordStore({ redis, prefix, now }),
    close: async () => await closeRedis(redis),
  };
}

/** For tests: an empty bucket of their own. */
export async function openBucket(env: Record<string, string | undefined>): Promise<{ name: string; storage: Storage }> {
  const name = `photos-${newRequestId().slice(-12)}`;
  const storage = createStorage({
    bucket: name,
    region: env['S3_REGION'] ?? '',
    endpoint: env['S3_ENDPOINT'],
    accessKeyId: env['S3_ACCESS_KEY_ID'],
    secretAccessKey: env['S3_SECRET_ACCESS_KEY'],
  });
  await storage.createBucket();
  return { name, storage };
}

/** For tests: a request as the api accepts it. */
export function sampleRequest(changes: Partial<Request> = {}): Request {
  const createdAt = changes.createdAt ?? Date.now();
  return {
    id: newRequestId(),
    owner: 'test',
    question: '',
    locale: 'ko',
    source: { kind: 'url', url: 'https://example.com/photo.jpg' },
    priority: 'interactive',
    createdAt,
    deadlineAt: createdAt + 120_000,
    ...changes,
  };
}

/** For tests: a run that nobody aborts. */
export function sampleRun(changes: Partial<TaskRun> = {}): TaskRun {
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  return { scheduledAt: Date.now(), signal: new AbortController().signal, log, ...changes };
}
