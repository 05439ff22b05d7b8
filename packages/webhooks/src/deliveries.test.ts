import { randomUUID } from 'node:crypto';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys } from '@bunri/runtime';
import { createDeliveries, type Attempt, type DeliveryStatus } from './deliveries.ts';
import type { WebhookJob } from './events.ts';

const redis = new Redis(process.env['REDIS_URL'] ?? '');
const prefixes: string[] = [];
const start = 1_700_000_000_000;
let clock: number;
let deliveries: ReturnType<typeof createDeliveries>;
let prefix: string;

beforeEach(() => {
  clock = start;
  prefix = `{t${randomUUID()}}`;
  prefixes.push(prefix);
  deliveries = createDeliveries({ redis, prefix, now: () => clock, maxPerOwner: 5, retentionMs: 60_000 });
});
afterAll(async () => {
  for (const one of prefixes) {
    const left = await redis.keys(`${one}*`);
    if (left.length > 0) await redis.unlink(...left);
  }
  await redis.quit();
});

function job(n: number, owner = 'ann'): WebhookJob {
  const event = { type: 'classification.completed', subject: `req_${n}`, seq: 1, at: clock };
  return { ...event, id: `evt_${owner}${n}_1`, owner, url: 'https://example.com/' };
}

const attempt: Attempt = { at: start, durationMs: 5, status: 500, error: 'status', excerpt: '' };

async function idsOf(owner: string, status?: DeliveryStatus): Promise<string[]> {
  const page = await deliveries.list(owner, { status, limit: 100 });
  return (page?.data ?? []).map(({ id }) => id);
}

test('an owner’s deliveries are listed newest first, page by page, also those of one millisecond, and no other owner’s', async () => {
  for (const n of [1, 2, 3]) await deliveries.open(job(n));
  clock += 10;
  await deliveries.open(job(4));
  await deliveries.open(job(5, 'bob'));
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await deliveries.list('ann', { after, limit: 1 });
    seen.push(...(page?.data ?? []).map(({ subject }) => subject));
    after = page?.next ?? undefined;
  } while (after !== undefined);
  expect(seen).toEqual(['req_4', 'req_3', 'req_2', 'req_1']);
  expect(await idsOf('bob')).toEqual(['evt_bob5_1']);
  expect(await deliveries.list('ann', { after: 'anything', limit: 1 })).toBeNull();
});

test('a status is listed by itself, and a delivery stands under one only', async () => {
  for (const n of [1, 2]) await deliveries.open(job(n));
  await deliveries.settle(job(1), { status: 'failed', reason: 'status', attempt });
  expect(await idsOf('ann', 'failed')).toEqual(['evt_ann1_1']);
  expect(await idsOf('ann', 'pending')).toEqual(['evt_ann2_1']);
  await deliveries.settle(job(1), { status: 'delivered' });
  await deliveries.settle(job(1), { status: 'failed', reason: 'status' });
  expect(await idsOf('ann', 'failed')).toEqual([]);
  expect(await deliveries.get('evt_ann1_1')).toMatchObject({ status: 'delivered', reason: null, attempts: [attempt] });
});

test('an attempt beside those that are due leaves everything as it was, but for its own line', async () => {
  await deliveries.open(job(1));
  await deliveries.settle(job(1), { status: 'pending', reason: 'timeout', attempt, nextAttemptAt: clock + 1 });
  await deliveries.settle(job(1), { status: 'unchanged', attempt });
  const delivery = await deliveries.get('evt_ann1_1');
  expect(delivery).toMatchObject({ status: 'pending', reason: 'timeout', nextAttemptAt: clock + 1, attemptCount: 2 });
});

test('opened again, as after a crash, it is as it was', async () => {
  await deliveries.open(job(1));
  await deliveries.settle(job(1), { status: 'pending', reason: 'status', attempt, nextAttemptAt: clock + 1 });
  await deliveries.open(job(1));
  expect(await deliveries.get('evt_ann1_1')).toMatchObject({ attemptCount: 1, nextAttemptAt: clock + 1 });
});

test('of attempts the latest twenty are kept, and all are counted', async () => {
  await deliveries.open(job(1));
  for (let at = 1; at <= 25; at += 1) {
    await deliveries.settle(job(1), { status: 'pending', reason: 'status', attempt: { ...attempt, at } });
  }
  const delivery = await deliveries.get('evt_ann1_1');
  expect(delivery?.attemptCount).toBe(25);
  expect(delivery?.attempts.map(({ at }) => at)).toEqual(Array.from({ length: 20 }, (_, i) => i + 6));
});

test('only the newest are kept, and what was forgotten does not come back', async () => {
  for (const n of [1, 2, 3, 4, 5, 6, 7]) {
    clock += 1;
    await deliveries.open(job(n));
  }
  expect(await idsOf('ann')).toEqual([7, 6, 5, 4, 3].map((n) => `evt_ann${n}_1`));
  expect(await idsOf('ann', 'pending')).toHaveLength(5);
  expect(await deliveries.get('evt_ann1_1')).toBeNull();
  await deliveries.settle(job(1), { status: 'delivered', attempt });
  expect(await deliveries.get('evt_ann1_1')).toBeNull();
});

test('everything about them ends with the retention', async () => {
  await deliveries.open(job(1));
  await deliveries.settle(job(1), { status: 'failed', reason: 'status' });
  await deliveries.markGone('ann', 'https://example.com/');
  const keys = await redis.keys(`${prefix}*`);
  expect(keys).toHaveLength(4);
  for (const key of keys) expect(await redis.pttl(key)).toBeGreaterThan(0);
  clock += 60_001;
  await deliveries.open(job(2));
  const keysOf = createKeys(prefix);
  expect(await redis.zcard(keysOf.webhookDeliveries('ann', 'all'))).toBe(1);
  expect(await redis.zcard(keysOf.webhookDeliveries('ann', 'failed'))).toBe(0);
});
