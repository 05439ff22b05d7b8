import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import type { z } from 'zod';
import { createKeys } from '@bunri/runtime';
import { problemSchema } from '../problem.ts';
import { startTestApi, type TestApi } from '../test-api.ts';
import { deliveryListSchema, deliverySchema, webhookSecretSchema, webhookTestSchema } from './webhooks.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

const url = 'https://example.com/hooks';

async function ask(method: string, path: string, { key = 'ann', body }: { key?: string; body?: unknown } = {}) {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return await api.fetch(`/v1/webhooks/${path}`, { method, key, ...sent });
}

async function read<Schema extends z.ZodType>(
  schema: Schema,
  answer: Response,
  status = 200,
): Promise<z.infer<Schema>> {
  expect(answer.status).toBe(status);
  return schema.parse(await answer.json());
}

async function testEvent(key = 'ann') {
  return await read(deliverySchema, await ask('POST', 'test', { key, body: { url } }), 202);
}

describe('the secret', () => {
  test('is made once, shown to its owner alone, and signs along for a day after it was replaced', async () => {
    expect((await ask('GET', 'secret')).status).toBe(404);
    const made = await read(webhookSecretSchema, await ask('POST', 'secret'));
    expect(await read(webhookSecretSchema, await ask('POST', 'secret'))).toEqual(made);
    expect(await read(webhookSecretSchema, await ask('GET', 'secret'))).toEqual(made);
    expect(() => new Webhook(made.secret)).not.toThrow();
    expect((await ask('GET', 'secret', { key: 'bob' })).status).toBe(404);
    const { secret, previous } = await read(webhookSecretSchema, await ask('POST', 'secret/rotate'));
    expect(secret).not.toBe(made.secret);
    expect(previous).toEqual([{ secret: made.secret, expires_at: expect.any(String) }]);
    expect((await ask('GET', 'secret', { key: 'bob' })).status).toBe(404);
  });

  test('that was stored under another WEBHOOK_SECRET_KEY is told so, and a new one may take its place', async () => {
    await read(webhookSecretSchema, await ask('POST', 'secret', { key: 'bob' }));
    const keys = createKeys(api.prefix);
    // Nobody can open what belongs to another.
    const stored = (await api.redis.get(keys.webhookSecrets('bob'))) ?? '';
    await api.redis.set(keys.webhookSecrets('ann'), stored);
    for (const method of ['GET', 'POST']) {
      const answer = await ask(method, 'secret');
      const { code, detail } = problemSchema.parse(await answer.json());
      expect([answer.status, code]).toEqual([409, 'webhook_secret_unreadable']);
      expect(detail).toContain('POST /v1/webhooks/secret/rotate');
    }
    const { secret, previous } = await read(webhookSecretSchema, await ask('POST', 'secret/rotate'));
    expect([secret.startsWith('whsec_'), previous]).toEqual([true, []]);
    await api.redis.unlink(keys.webhookSecrets('bob'));
  });

  test('needs a key that may submit', async () => {
    for (const [method, path] of [
      ['GET', 'secret'],
      ['POST', 'secret'],
      ['POST', 'secret/rotate'],
    ] as const) {
      expect((await ask(method, path, { key: 'annReads' })).status).toBe(403);
    }
  });
});

describe('a delivery', () => {
  test('is listed, read and sent again by its owner, and is not there for another', async () => {
    const { id } = await testEvent();
    const { data } = await read(deliveryListSchema, await ask('GET', 'deliveries?status=pending', { key: 'annReads' }));
    expect(data).toMatchObject([{ id, type: 'webhook.test', url, status: 'pending', attempt_count: 0, attempts: [] }]);
    expect(await read(deliverySchema, await ask('GET', `deliveries/${id}`))).toEqual(data[0]);
    expect(await read(deliverySchema, await ask('POST', `deliveries/${id}/resend`), 202)).toEqual(data[0]);
    expect(await api.redis.llen(`${api.prefix}:webhooks:wait`)).toBe(2);
    const { data: others } = await read(deliveryListSchema, await ask('GET', 'deliveries', { key: 'bob' }));
    expect(others).toEqual([]);
    for (const [method, path] of [
      ['GET', `deliveries/${id}`],
      ['POST', `deliveries/${id}/resend`],
    ] as const) {
      expect((await ask(method, path, { key: 'bob' })).status).toBe(404);
    }
    expect((await ask('POST', `deliveries/${id}/resend`, { key: 'annReads' })).status).toBe(403);
  });

  test('comes page by page, and a cursor that is none is refused', async () => {
    await testEvent();
    await testEvent();
    const first = await read(deliveryListSchema, await ask('GET', 'deliveries?limit=1'));
    const rest = await read(deliveryListSchema, await ask('GET', `deliveries?limit=100&cursor=${first.next_cursor}`));
    expect(first.data).toHaveLength(1);
    expect(rest.next_cursor).toBeNull();
    expect(rest.data.map(({ id }) => id)).not.toContain(first.data[0]?.id);
    for (const query of ['cursor=x', 'cursor=', 'status=lost', 'limit=0', 'page=1']) {
      expect((await ask('GET', `deliveries?${query}`)).status).toBe(400);
    }
  });

  test.each(['evt_1', 'evt_../secret', `evt_${'a'.repeat(32)}_1`])('%s is not found', async (id) => {
    expect((await ask('GET', `deliveries/${encodeURIComponent(id)}`)).status).toBe(404);
  });
});

describe('a test event', () => {
  test.each([
    'http://example.com/',
    'https://127.0.0.1/',
    'https://localhost/',
    'https://user@example.com/',
    'example.com',
  ])('is not sent to %s', async (bad) => {
    const answer = await ask('POST', 'test', { key: 'bob', body: { url: bad } });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ code: 'webhook_url_forbidden' });
  });

  test('may be asked for ten times a minute, whatever key of the owner asks, and another owner is not concerned', async () => {
    const own = await startTestApi();
    const post = async (key: string) =>
      await own.fetch('/v1/webhooks/test', {
        method: 'POST',
        key,
        body: JSON.stringify({ url }),
        headers: { 'content-type': 'application/json' },
      });
    for (let i = 0; i < 10; i += 1) expect((await post('ann')).status).toBe(202);
    const refused = await post('ann');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await post('bob')).status).toBe(202);
    await own.close();
  });
});

test('an installation without a key for secrets says so', async () => {
  const own = await startTestApi({ webhookKey: null });
  for (const [method, path] of [
    ['GET', 'secret'],
    ['POST', 'secret'],
    ['POST', 'secret/rotate'],
    ['GET', 'deliveries'],
    ['GET', `deliveries/evt_${'a'.repeat(32)}_1`],
    ['POST', `deliveries/evt_${'a'.repeat(32)}_1/resend`],
  ] as const) {
    const answer = await own.fetch(`/v1/webhooks/${path}`, { method });
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ code: 'webhooks_disabled' });
  }
  await own.close();
});

test('the examples of the documentation are valid', () => {
  const schemas = { deliverySchema, deliveryListSchema, webhookSecretSchema, webhookTestSchema };
  for (const schema of Object.values(schemas)) {
    const examples = schema.meta()?.['examples'] ?? [];
    expect(examples).toHaveLength(1);
    for (const example of examples) expect(() => schema.parse(example)).not.toThrow();
  }
});
