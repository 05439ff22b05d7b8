import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { Webhook } from 'standardwebhooks';
import { failure, webhookQueue } from '@bunri/queue-contracts';
import { until } from '@bunri/testkit/until';
import { eventId } from './events.ts';
import { endedRequest, log, startReceiver, startWorld, type Answer, type World } from './test-receiver.ts';

let world: World;
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world.close();
  for (const one of open.splice(0)) await one.close();
});

async function receiver(answer?: Answer) {
  const one = await startReceiver(answer);
  open.push(one);
  return one;
}

const outbox = async (): Promise<string[]> => await world.redis.zrange(world.records.keys.outbox, 0, '-1');
const statusOf = async (id: string) => await world.deliveries.status(id);
const refuse: Answer = (response) => response.writeHead(503).end('  down\u0000\u202E\n for maintenance ');

describe('a delivery', () => {
  test('is accepted by a stock verifier, with the resource as it is read, and leaves nothing in the outbox', async () => {
    const { url, received } = await receiver();
    const id = await endedRequest(world.records, url);
    await world.serve();
    await until(() => received.length === 1);
    const [message] = received;
    const [secret] = await world.webhooks.secrets.read('ann');
    const told = new Webhook(secret?.secret ?? '').verify(message?.body ?? '', message?.headers ?? {});
    expect(told).toMatchObject({ type: 'classification.canceled', data: { id, status: 'canceled', webhook_url: url } });
    const seq = (await world.records.get(id))?.lastSeq ?? 0;
    const event = eventId({ subject: id, seq });
    expect(message?.headers['webhook-id']).toBe(event);
    await until(async () => (await statusOf(event)) === 'delivered');
    expect(await outbox()).toEqual([]);
    const metrics = await world.metrics.registry.metrics();
    expect(metrics).toContain('bunri_webhook_deliveries_total{outcome="delivered",app="test"} 1');
    expect(metrics).toContain('bunri_webhook_attempt_seconds_count{app="test"} 1');
  });

  test('is accepted with the former secret and the new one while a secret is rotated', async () => {
    const { url, received } = await receiver();
    const [former] = await world.webhooks.secrets.ensure('ann');
    const [present] = await world.webhooks.secrets.rotate('ann');
    await endedRequest(world.records, url);
    await world.serve();
    await until(() => received.length === 1);
    expect(present?.secret).not.toBe(former?.secret);
    for (const one of [former, present]) {
      const verify = () => new Webhook(one?.secret ?? '').verify(received[0]?.body ?? '', received[0]?.headers ?? {});
      expect(verify).not.toThrow();
    }
  });

  test('is tried again under the same id until it succeeds, and every attempt is told', async () => {
    const { url, received } = await receiver((response, count) => {
      if (count < 3) refuse(response, count);
      else response.end('thanks');
    });
    await endedRequest(world.records, url);
    await world.serve();
    await until(() => received.length === 3);
    const [event = '', ...others] = new Set(received.map(({ headers }) => headers['webhook-id']));
    expect(others).toEqual([]);
    await until(async () => (await statusOf(event)) === 'delivered');
    const delivery = await world.deliveries.get(event);
    expect(delivery).toMatchObject({ reason: null, attemptCount: 3, owner: 'ann', url });
    expect(delivery?.attempts.map(({ status, error }) => [status, error])).toEqual([
      [503, 'status'],
      [503, 'status'],
      [200, null],
    ]);
    expect(delivery?.attempts[0]?.excerpt).toBe('down for maintenance');
  });

  test('that never succeeds fails when its attempts are used up', async () => {
    const { url, received } = await receiver(refuse);
    await endedRequest(world.records, url);
    await world.serve();
    await until(async () => (await world.deliveries.list('ann', { status: 'failed', limit: 5 }))?.data.length === 1);
    const page = await world.deliveries.list('ann', { limit: 5 });
    expect(page?.data).toMatchObject([{ status: 'failed', reason: 'status', attemptCount: 4 }]);
    expect(received).toHaveLength(4);
    expect((await world.deliveries.list('ann', { status: 'pending', limit: 5 }))?.data).toEqual([]);
  });

  test.each([
    ['a redirect', 302, 'status', 4],
    ['410', 410, 'endpoint_gone', 1],
  ])('that is answered with %s is not followed', async (_what, status, reason, attempts) => {
    const { url, received } = await receiver((response) => response.writeHead(status, { location: '/x' }).end());
    await endedRequest(world.records, url);
    await world.serve();
    await until(async () => (await world.deliveries.list('ann', { status: 'failed', limit: 5 }))?.data.length === 1);
    expect((await world.deliveries.list('ann', { limit: 5 }))?.data).toMatchObject([{ reason }]);
    expect(received).toHaveLength(attempts);
  });

  test('that is answered with another protocol is an attempt that failed, and holds no slot', async () => {
    const switched = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n';
    const { url, received } = await receiver((response) => response.socket?.write(switched));
    await endedRequest(world.records, url);
    await world.serve();
    await until(async () => (await world.deliveries.list('ann', { status: 'failed', limit: 5 }))?.data.length === 1);
    expect((await world.deliveries.list('ann', { limit: 5 }))?.data).toMatchObject([{ reason: 'unreachable' }]);
    expect(received).toHaveLength(4);
  });

  test('to who said 410 before is not tried at all, until one that was asked for succeeds', async () => {
    let answer = 410;
    const { url, received } = await receiver((response) => response.writeHead(answer).end());
    await world.serve();
    const failed = async () => (await world.deliveries.list('ann', { status: 'failed', limit: 5 }))?.data ?? [];
    await endedRequest(world.records, url);
    await until(async () => (await failed()).length === 1);
    await endedRequest(world.records, url);
    await until(async () => (await failed()).length === 2);
    expect(received).toHaveLength(1);
    answer = 200;
    const [latest] = await failed();
    if (latest) await world.webhooks.resend(latest);
    await until(async () => (await failed()).length === 1);
    await endedRequest(world.records, url);
    await until(() => received.length === 3);
  });

  test('to an address that is not public is given up at once', async () => {
    await endedRequest(world.records, 'http://127.0.0.2:9/');
    await world.serve();
    await until(async () => (await world.deliveries.list('ann', { status: 'failed', limit: 5 }))?.data.length === 1);
    expect((await world.deliveries.list('ann', { limit: 5 }))?.data).toMatchObject([{ reason: 'url_forbidden' }]);
  });

  test('of what is gone by then ends, and so does that of what was opened again', async () => {
    const { url, received } = await receiver(refuse);
    const { records } = world;
    const gone = await endedRequest(records, url);
    const again = await endedRequest(records, url, { end: false });
    await records.fail(again, failure('model_unavailable', 'The model is away.', 'vision'));
    await world.serve({ waitsMs: [60_000] });
    await until(() => received.length === 2);
    await records.remove(gone, 'ann');
    const record = await records.get(again);
    if (record) await records.reopen(record, { from: 'failed', deadlineAt: Date.now() + 60_000 });
    const pending = async () => (await world.deliveries.list('ann', { status: 'pending', limit: 5 }))?.data ?? [];
    await until(async () => (await pending()).filter(({ attemptCount }) => attemptCount === 1).length === 2);
    for (const delivery of await pending()) await world.webhooks.resend(delivery);
    await until(async () => (await pending()).length === 0);
    const reasons = (await world.deliveries.list('ann', { limit: 5 }))?.data.map(({ reason }) => reason);
    expect(reasons?.toSorted()).toEqual(['subject_gone', 'superseded']);
    expect(received).toHaveLength(2);
  });

  test('is made again at its owner’s wish under the same id, and stays delivered whatever comes of it', async () => {
    const { url, received } = await receiver((response, count) => response.writeHead(count === 1 ? 200 : 500).end());
    await endedRequest(world.records, url);
    await world.serve();
    await until(async () => (await world.deliveries.list('ann', { status: 'delivered', limit: 5 }))?.data.length === 1);
    const [delivery] = (await world.deliveries.list('ann', { limit: 5 }))?.data ?? [];
    if (delivery) await world.webhooks.resend(delivery);
    await until(async () => (await world.deliveries.get(delivery?.id ?? ''))?.attemptCount === 2);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect((await world.deliveries.get(delivery?.id ?? ''))?.status).toBe('delivered');
  });

  test('goes over a connection that was kept alive, and over a new one where that has just been closed', async () => {
    const { url, received, server } = await receiver();
    const id = await endedRequest(world.records, url);
    await world.serve();
    await until(() => received.length === 1);
    let resets = 0;
    server.prependListener('request', (request) => {
      if (resets > 0) return;
      resets += 1;
      request.socket.resetAndDestroy();
    });
    const event = received[0]?.headers['webhook-id'] ?? '';
    await until(async () => (await statusOf(event)) === 'delivered');
    const delivery = await world.deliveries.get(event);
    if (delivery) await world.webhooks.resend(delivery);
    await until(async () => (await world.deliveries.get(event))?.attemptCount === 2);
    expect((await world.deliveries.get(event))?.attempts[1]).toMatchObject({ status: 200, error: null });
    expect({ id, resets }).toEqual({ id, resets: 1 });
  });

  test('that its owner asks for once more leaves the attempts that are due as they are, if it comes to nothing', async () => {
    const { url, received } = await receiver(refuse);
    await endedRequest(world.records, url);
    await world.serve({ waitsMs: [60_000] });
    await until(() => received.length === 1);
    const read = async () => (await world.deliveries.list('ann', { limit: 5 }))?.data[0];
    await until(async () => (await read())?.attemptCount === 1);
    const before = await read();
    if (before) await world.webhooks.resend(before);
    await until(async () => (await read())?.attemptCount === 2);
    const { status, nextAttemptAt } = (await read()) ?? {};
    expect({ status, nextAttemptAt }).toEqual({ status: 'pending', nextAttemptAt: before?.nextAttemptAt });
  });

  test('to a dead endpoint of one owner holds up no other owner', async () => {
    const dead = await receiver(() => undefined);
    const alive = await receiver();
    for (let i = 0; i < 40; i += 1) await endedRequest(world.records, dead.url, { owner: 'bob' });
    await world.serve({ timeoutMs: 60_000 });
    await until(() => dead.received.length === 4);
    await endedRequest(world.records, alive.url);
    await until(() => alive.received.length === 1);
    expect(dead.received).toHaveLength(4);
    await dead.close();
    open.splice(open.indexOf(dead), 1);
  });
});

test('a stop waits for what is in flight, and puts back what takes too long', async () => {
  const { url, received } = await receiver((response, count) => {
    if (count > 1) response.end();
  });
  await endedRequest(world.records, url);
  const server = await world.serve();
  await until(() => received.length === 1);
  await server.close(10);
  const [delivery] = (await world.deliveries.list('ann', { limit: 5 }))?.data ?? [];
  expect(delivery).toMatchObject({ status: 'pending', attemptCount: 0 });
  await world.serve();
  await until(() => received.length === 2);
});

test('a job that waits for its next attempt knows when that is due, keeps one stack trace at most, and one that breaks is logged', async () => {
  const { url } = await receiver(refuse);
  const queue = new Queue(webhookQueue, { connection: world.redis, prefix: world.prefix });
  const errors: string[] = [];
  const noting = Object.assign(Object.create(log) as typeof log, {
    error: (message: string) => {
      errors.push(message);
      return log;
    },
  });
  await endedRequest(world.records, url);
  await world.serve({ waitsMs: [20, 20, 60_000], log: noting });
  await until(async () => (await world.deliveries.list('ann', { limit: 1 }))?.data[0]?.attemptCount === 3);
  await until(async () => (await queue.getDelayedCount()) === 1);
  const [waiting] = await queue.getDelayed();
  expect(waiting?.stacktrace).toHaveLength(1);
  const dueAt = (waiting?.data as { dueAt?: number } | undefined)?.dueAt ?? 0;
  expect(dueAt - Date.now()).toBeGreaterThan(30_000);
  expect(errors).toEqual([]);
  await queue.add('deliver', { nonsense: true });
  await until(() => errors.length > 0);
  expect(errors).toEqual(['a webhook job broke']);
  await queue.close();
});
