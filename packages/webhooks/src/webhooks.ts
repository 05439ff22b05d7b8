import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { webhookQueue } from '@bunri/queue-contracts';
import { oncePerMessage, type Logger } from '@bunri/runtime';
import { createDeliveries, type Deliveries, type Delivery } from './deliveries.ts';
import { jobOf } from './dispatcher.ts';
import { eventId, type WebhookJob } from './events.ts';
import { createWebhookSecrets, type WebhookSecrets } from './secrets.ts';

export interface WebhooksOptions {
  readonly redis: Redis;
  readonly prefix: string;
  /** 32 bytes, the same in every process. */
  readonly secretKey: Buffer;
  readonly log: Logger;
  readonly now: () => number;
  /** The key is this process's own, as in a demo. */
  readonly isEphemeral?: boolean;
}

/** What an owner may see and do of webhooks. */
export interface Webhooks {
  readonly secrets: WebhookSecrets;
  readonly deliveries: Pick<Deliveries, 'list' | 'get'>;
  /** One more attempt under the same `webhook-id`, now, beside those that are due anyway. */
  resend(delivery: Delivery): Promise<void>;
  /** Tells this URL, once, that it was asked to be tested. */
  test(owner: string, url: string): Promise<Delivery>;
  close(): Promise<void>;
}

/** The side of webhooks that asks; `serveWebhooks` is the one that delivers. */
export function createWebhooks({ redis, prefix, secretKey, log, now, isEphemeral }: WebhooksOptions): Webhooks {
  const deliveries = createDeliveries({ redis, prefix, now });
  const queue = new Queue<WebhookJob>(webhookQueue, { connection: redis, prefix });
  queue.on(
    'error',
    oncePerMessage((error) => log.warn('webhook queue trouble', { error })),
  );
  const add = async (data: WebhookJob, jobId: string) => {
    const { name, data: job, opts } = jobOf(data, jobId, 1);
    await queue.add(name, job, opts);
  };
  return {
    secrets: createWebhookSecrets({ redis, prefix, key: secretKey, log, now, isEphemeral }),
    deliveries,
    async resend({ id, type, subject, seq, at, owner, url }) {
      await add({ id, type, subject, seq, at, owner, url, asked: 'again' }, `${id}-${randomUUID()}`);
    },
    async test(owner, url) {
      const subject = `test_${randomUUID().replaceAll('-', '')}`;
      const event = { type: 'webhook.test', subject, seq: 1, at: now() };
      const job: WebhookJob = { ...event, id: eventId(event), owner, url, asked: 'test' };
      await deliveries.open(job);
      await add(job, job.id);
      const delivery = await deliveries.get(job.id);
      if (!delivery) throw new Error(`the delivery ${job.id} is gone`);
      return delivery;
    },
    close: async () => await queue.close(),
  };
}
