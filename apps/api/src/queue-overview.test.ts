import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { announceSlots, createLogger } from '@bunri/runtime';
import { createQueueOverview } from './queue-overview.ts';
import { startTestApi, type TestApi } from './test-api.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

test('the queue of the local look is shown once somebody serves it, the others always', async () => {
  const { redis, prefix } = api;
  let now = Date.now();
  const overview = createQueueOverview({ redis, prefix, now: () => now });
  const names = async () => (await overview.read()).map(({ name }) => name);
  expect(await names()).toEqual(['preprocess', 'vision', 'rag', 'llm']);

  const slots = announceSlots({ redis, prefix, stage: 'vision.local', slots: 2, log });
  try {
    while (!(await names()).includes('vision.local')) {
      now += 2_000;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await names()).toEqual(['preprocess', 'vision', 'vision.local', 'rag', 'llm']);
    expect((await overview.read()).find(({ name }) => name === 'vision.local')).toMatchObject({ workers: 1, slots: 2 });
  } finally {
    await slots.close();
    await overview.close();
  }
});
