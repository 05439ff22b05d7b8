import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { createBatchStore } from '@bunri/batches';
import { openRecords, openRedis, type App } from '@bunri/runtime';
import { createPublicClient, type OutboundPolicy } from '@bunri/runtime/public-fetch';
import {
  classificationEvents,
  createWebhooks,
  serveWebhooks,
  testEvents,
  webhookPolicy,
  type Webhooks,
} from '@bunri/webhooks';
import { batchEvents } from './batch-events.ts';
import type { Config } from './config.ts';

export interface OpenedWebhooks {
  /** Null where no webhooks are taken. */
  readonly webhooks: Webhooks | null;
  /** What a `webhook_url` may lead to; null where none is taken. */
  readonly webhookUrls: OutboundPolicy | null;
}

/** What is still being delivered when the process stops goes on elsewhere, under the same id. */
const stopGraceMs = 4_000;

/** Opens webhooks and begins to deliver them, as the settings say; all is closed with the process. */
export async function openWebhooks(app: App<Config>, redis: Redis): Promise<OpenedWebhooks> {
  const { config, log, metrics, life } = app;
  const { REDIS_PREFIX: prefix, WEBHOOK_SECRET_KEY: givenKey } = config;
  // A demo makes its own: nobody's secrets outlive it.
  const secretKey = givenKey ?? (config.DEMO ? randomBytes(32) : undefined);
  if (!secretKey) {
    log.info('no webhooks are taken or delivered without WEBHOOK_SECRET_KEY');
    return { webhooks: null, webhookUrls: null };
  }
  const given = { prefix, secretKey, isEphemeral: !givenKey, log, now: Date.now };
  const webhookUrls = webhookPolicy(config);
  const webhooks = createWebhooks({ ...given, redis });
  life.onStop('webhooks', async () => await webhooks.close());
  if (config.WEBHOOKS) {
    const consumer = openRedis(app, 'consumer');
    const client = createPublicClient({ ...webhookUrls, keepAlive: true });
    const sources = {
      classification: classificationEvents(openRecords(app, consumer)),
      batch: batchEvents(createBatchStore({ redis: consumer, prefix })),
      webhook: testEvents,
    };
    const server = await serveWebhooks({ ...given, redis: consumer, sources, client, metrics });
    life.onStop('webhook deliveries', async () => {
      await server.close(stopGraceMs);
      client.close();
    });
  }
  return { webhooks, webhookUrls };
}
