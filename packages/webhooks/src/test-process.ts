// A process that delivers webhooks, to be killed by a test.
import { Redis } from 'ioredis';
import { createMetrics, createRecordStore } from '@bunri/runtime';
import { createPublicClient } from '@bunri/runtime/public-fetch';
import { serveWebhooks } from './serve.ts';
import { classificationEvents } from './sources.ts';
import { log, loopback } from './test-receiver.ts';

const { REDIS_URL = '', PREFIX: prefix = '', SECRET_KEY = '' } = process.env;
const redis = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
await serveWebhooks({
  redis,
  prefix,
  sources: { classification: classificationEvents(createRecordStore({ redis, prefix })) },
  secretKey: Buffer.from(SECRET_KEY, 'base64'),
  client: createPublicClient(loopback),
  metrics: createMetrics({ app: 'test', processMetrics: false }),
  log,
  now: Date.now,
  lock: { durationMs: 5_000, stalledCheckMs: 200 },
});
