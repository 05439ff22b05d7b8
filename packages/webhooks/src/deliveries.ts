import type { Redis } from 'ioredis';
import * as z from 'zod';
import { createKeys } from '@bunri/runtime';
import { deliveryScripts } from './delivery-scripts.ts';
import type { WebhookJob } from './events.ts';

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** Why an attempt, or all of a delivery, came to nothing. A word, once shipped, keeps its meaning. */
export const deliveryErrors = [
  'status',
  'timeout',
  'unreachable',
  'url_forbidden',
  'endpoint_paused',
  'endpoint_gone',
  'subject_gone',
  'superseded',
  'internal_error',
] as const;
export type DeliveryError = (typeof deliveryErrors)[number];

const attemptSchema = z.object({
  /** Epoch ms. */
  at: z.int(),
  durationMs: z.int(),
  status: z.int().nullable(),
  error: z.enum(deliveryErrors).nullable(),
  excerpt: z.string(),
});
export type Attempt = z.infer<typeof attemptSchema>;

/** What came of telling an event. Times are epoch ms. */
export interface Delivery {
  readonly id: string;
  readonly owner: string;
  readonly type: string;
  readonly subject: string;
  readonly seq: number;
  readonly url: string;
  readonly status: DeliveryStatus;
  readonly at: number;
  readonly nextAttemptAt: number | null;
  readonly reason: DeliveryError | null;
  readonly attemptCount: number;
  /** The latest, oldest first. */
  readonly attempts: readonly Attempt[];
}

export interface Settlement {
  /** `unchanged` of an attempt beside those that are due, which came to nothing. */
  readonly status: DeliveryStatus | 'unchanged';
  readonly nextAttemptAt?: number;
  readonly reason?: DeliveryError;
  readonly attempt?: Attempt;
}

export interface DeliveriesOptions {
  readonly redis: Redis;
  readonly prefix: string;
  readonly now: () => number;
  /** How long a delivery is remembered after its last change. Default a week: twice as long as all attempts take. */
  readonly retentionMs?: number;
  /** Default 1,000, the newest. */
  readonly maxPerOwner?: number;
}

const weekMs = 7 * 24 * 3600 * 1000;
const keptAttempts = 20;
const memberSchema = z.string().regex(/^\d{13}:evt_\w+$/);

type Fields = Readonly<Partial<Record<string, string>>>;
type ScriptName = keyof typeof deliveryScripts;
export type Deliveries = ReturnType<typeof createDeliveries>;

/** The log of deliveries: bounded for each owner, kept for a while. The queue's jobs do the work, this tells of it. */
export function createDeliveries(options: DeliveriesOptions) {
  const { redis, now, retentionMs = weekMs, maxPerOwner = 1_000 } = options;
  const keys = createKeys(options.prefix);
  for (const [name, lua] of Object.entries(deliveryScripts)) {
    redis.defineCommand(`bunri_webhook_${name}`, { lua, numberOfKeys: 5 });
  }
  const commands = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<number>>;

  async function run(name: ScriptName, { id, owner }: { id: string; owner: string }, args: (string | number)[]) {
    const indexes = ['all', ...deliveryStatuses].map((status) => keys.webhookDeliveries(owner, status));
    const done = await commands[`bunri_webhook_${name}`]?.(keys.webhookDelivery(id), ...indexes, ...args);
    return done === 1;
  }

  return {
    /** Notes that an event is to be told; again, and nothing changes. */
    async open(job: WebhookJob): Promise<void> {
      const { owner, type, subject, seq, url } = job;
      const fields = { owner, type, subject, seq, url };
      await run('open', job, [
        padded(job.at),
        padded(now() - retentionMs),
        retentionMs,
        maxPerOwner,
        ...Object.entries(fields).flat(),
      ]);
    },

    /** What came of an attempt, or of none. */
    async settle(job: { id: string; owner: string }, settlement: Settlement): Promise<void> {
      const { status, nextAttemptAt = '', reason = '', attempt } = settlement;
      const told = attempt ? JSON.stringify(attempt) : '';
      await run('settle', job, [status, nextAttemptAt, reason, told, keptAttempts, retentionMs]);
    },

    /** Null where it is unknown, or was forgotten. */
    async get(id: string): Promise<Delivery | null> {
      return toDelivery(id, await redis.hgetall(keys.webhookDelivery(id)));
    },

    async status(id: string): Promise<DeliveryStatus | null> {
      return (await redis.hget(keys.webhookDelivery(id), 'status')) as DeliveryStatus | null;
    },

    /** The owner's, newest first. @param after the `next` of the page before. @returns null for an `after` that is none. */
    async list(
      owner: string,
      { status, after, limit }: { status?: DeliveryStatus | undefined; after?: string | undefined; limit: number },
    ): Promise<{ data: Delivery[]; next: string | null } | null> {
      if (after !== undefined && !memberSchema.safeParse(after).success) return null;
      const index = keys.webhookDeliveries(owner, status ?? 'all');
      const from = after === undefined ? '+' : `(${after}`;
      const members = await redis.zrange(index, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit + 1);
      const page = members.slice(0, limit);
      const found = await Promise.all(page.map(async (member) => await this.get(member.slice(14))));
      const next = members.length > limit ? (page.at(-1) ?? null) : null;
      return { data: found.filter((delivery) => delivery !== null), next };
    },

    /** Remembers that nobody listens at this URL any more, as long as a delivery is remembered. */
    async markGone(owner: string, url: string): Promise<void> {
      await redis.set(keys.webhookGone(owner, url), now(), 'PX', retentionMs);
    },

    async isGone(owner: string, url: string): Promise<boolean> {
      return (await redis.exists(keys.webhookGone(owner, url))) === 1;
    },

    /** Somebody listens there after all. */
    async markBack(owner: string, url: string): Promise<void> {
      await redis.unlink(keys.webhookGone(owner, url));
    },
  };
}

function padded(epochMs: number): string {
  return String(Math.max(0, Math.round(epochMs))).padStart(13, '0');
}

function toDelivery(id: string, fields: Fields): Delivery | null {
  const { owner, type, subject, seq, url, status, at, nextAt, reason, attempts } = fields;
  if (owner === undefined || type === undefined || subject === undefined || url === undefined) return null;
  const count = Number(attempts ?? 0);
  const first = Math.max(1, count - keptAttempts + 1);
  const texts = Array.from({ length: Math.max(0, count - first + 1) }, (_, i) => fields[`attempt:${first + i}`]);
  return {
    id,
    owner,
    type,
    subject,
    seq: Number(seq),
    url,
    status: status as DeliveryStatus,
    at: Number(at),
    nextAttemptAt: nextAt ? Number(nextAt) : null,
    reason: reason ? (reason as DeliveryError) : null,
    attemptCount: count,
    attempts: texts.flatMap((text) => (text === undefined ? [] : [attemptSchema.parse(JSON.parse(text))])),
  };
}
