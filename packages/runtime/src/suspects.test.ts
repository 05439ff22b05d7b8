import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Request } from '@bunri/queue-contracts';
import { createAbortRegistry } from './abort-registry.ts';
import { newRequestId } from './enqueue.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { outputs } from './pipeline-fixture.ts';
import { createRecordStore, type RecordStore } from './records.ts';
import { runStage, type JobFacts } from './stage-run.ts';

const prefix = `{t${randomUUID()}}`;
let redis: Redis;
let records: RecordStore;
beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '');
  records = createRecordStore({ redis, prefix });
});
afterAll(async () => {
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.unlink(...keys);
  await redis.quit();
});

/** A request whose first stage took two workers with it, and has begun once more as this process took its job. */
async function begunSuspect(token: string) {
  const now = Date.now();
  const request: Request = {
    id: newRequestId(),
    owner: 'ann',
    question: '이거 어떻게 버려요?',
    locale: 'ko',
    source: { kind: 'url', url: 'https://example.com/a.jpg' },
    priority: 'interactive',
    createdAt: now,
    deadlineAt: now + 60_000,
  };
  const { id, deadlineAt } = request;
  await records.accept(request);
  for (const lost of ['a:1', 'b:1']) await records.start({ id, stage: 'preprocess', token: lost });
  const { records: names, args } = records.beginning({ stage: 'preprocess', token }, false);
  const [at = '', stage = '', own = '', held = '', ...reads] = args;
  const command = redis as unknown as { bunri_start(...args: unknown[]): Promise<string[]> };
  const begun = await command.bunri_start(1, `${names}${id}`, at, stage, own, 0, held, ...reads);
  const job = { jobId: id, data: { v: 1, requestId: id, deadlineAt }, attemptsMade: 0, attempts: 4 };
  return { id, facts: { ...job, token, begun } };
}

test('of two suspects that began as they were taken, before either ran, one runs and the other is put back unharmed', async () => {
  const [first, second] = [await begunSuspect('c:1'), await begunSuspect('c:2')];
  expect([first.facts.begun[4], second.facts.begun[4]]).toEqual(['2', '2']);
  const suspects = { held: false };
  let running = 0;
  const handler = async () => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    running -= 1;
    return { output: outputs.preprocess, cached: false };
  };
  const runner = {
    stage: 'preprocess' as const,
    handler,
    records,
    suspects,
    metrics: createMetrics({ app: 'test', processMetrics: false }),
    log: createLogger({ app: 'test', level: 'error', silent: true }),
  };
  const registry = createAbortRegistry();
  const run = async (facts: JobFacts) => await runStage(runner, facts, registry);
  expect(await Promise.all([run(first.facts), run(second.facts)])).toEqual([
    { end: 'completed' },
    { end: 'waiting', waitMs: 1_000 },
  ]);
  // It is as it was before it was taken.
  expect((await records.get(second.id))?.stages.preprocess).toMatchObject({ status: 'pending', attempts: 2, lost: 2 });
  const events = await records.events(second.id, 0);
  expect(events.at(-1)).toMatchObject({ type: 'stage.released', data: { stage: 'preprocess', reason: 'isolated' } });
  expect(await run({ ...second.facts, token: 'c:3', begun: undefined })).toEqual({
    end: 'completed',
  });
  expect(suspects.held).toBe(false);
});
