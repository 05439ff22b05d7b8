// A receiver of webhooks and what the tests of this folder send to it.
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import {
  createLogger,
  createMetrics,
  createRecordStore,
  newRequestId,
  type Logger,
  type Metrics,
  type RecordStore,
} from '@bunri/runtime';
import { createPublicClient } from '@bunri/runtime/public-fetch';
import { createDeliveries, type Deliveries } from './deliveries.ts';
import type { EventSources } from './events.ts';
import { serveWebhooks, type ServeWebhooksOptions, type WebhookServer } from './serve.ts';
import { classificationEvents, testEvents } from './sources.ts';
import { createWebhooks, type Webhooks } from './webhooks.ts';

export interface Received {
  readonly headers: IncomingHttpHeaders & Record<string, string>;
  readonly body: string;
}

export type Answer = (response: ServerResponse, count: number) => void;

/** Listens on loopback; `answer` is given how many messages have come so far. */
export async function startReceiver(answer: Answer = (response) => response.end()) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers as Received['headers'], body: Buffer.concat(chunks).toString() });
      answer(response, received.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    received,
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=secret`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Reaches receivers on loopback, and nothing else that is not public. */
export const loopback = { allowHttp: true, ports: 'any', allowAddresses: ['127.0.0.1'] } as const;

export const log: Logger = createLogger({ app: 'test', level: 'error', silent: true });

export interface World {
  readonly prefix: string;
  readonly redis: Redis;
  readonly records: RecordStore;
  readonly secretKey: Buffer;
  readonly metrics: Metrics;
  readonly webhooks: Webhooks;
  readonly deliveries: Deliveries;
  readonly sources: EventSources;
  serve(options?: Partial<ServeWebhooksOptions>): Promise<WebhookServer>;
  close(): Promise<void>;
}

/** Everything about webhooks on a real Redis, under a prefix of its own. */
export async function startWorld(): Promise<World> {
  const prefix = `{t${randomUUID()}}`;
  const url = process.env['REDIS_URL'] ?? '';
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  const records = createRecordStore({ redis, prefix });
  const secretKey = randomBytes(32);
  const client = createPublicClient({ ...loopback, keepAlive: true });
  const metrics: Metrics = createMetrics({ app: 'test', processMetrics: false });
  const given = { redis, prefix, secretKey, log, now: Date.now };
  const webhooks = createWebhooks(given);
  const deliveries = createDeliveries(given);
  const sources = { classification: classificationEvents(records), webhook: testEvents };
  const servers: WebhookServer[] = [];
  return {
    prefix,
    redis,
    records,
    secretKey,
    metrics,
    webhooks,
    deliveries,
    sources,
    async serve(options: Partial<ServeWebhooksOptions> = {}): Promise<WebhookServer> {
      const pace = { pollMs: 20, waitsMs: [20, 20, 20], random: () => 0 };
      const server = await serveWebhooks({ ...given, sources, client, metrics, ...pace, ...options });
      servers.push(server);
      return server;
    },
    async close() {
      await Promise.all(servers.map(async (server) => await server.close(5_000)));
      await webhooks.close();
      client.close();
      const left = await redis.keys(`${prefix}*`);
      if (left.length > 0) await redis.unlink(...left);
      await redis.quit();
    },
  };
}

/** Accepts a request whose end this URL is to be told of, and ends it unless it is to stay open. */
export async function endedRequest(
  records: RecordStore,
  webhookUrl: string | undefined,
  { owner = 'ann', end = true } = {},
): Promise<string> {
  const id = newRequestId();
  const source = { kind: 'upload', key: 'uploads/x', sha256: 'a'.repeat(64), sizeBytes: 10 } as const;
  const createdAt = Date.now();
  await records.accept({
    id,
    owner,
    source,
    createdAt,
    question: 'Where to?',
    locale: 'en',
    priority: 'interactive',
    deadlineAt: createdAt + 60_000,
    ...(webhookUrl === undefined ? {} : { webhookUrl }),
  });
  if (end) await records.cancel(id);
  return id;
}
