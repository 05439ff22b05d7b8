import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { failure, type Request, type RequestEvent } from '@bunri/queue-contracts';
import { patienceMs } from '@bunri/testkit/until';
import { newRequestId } from './enqueue.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { createRecordStore } from './records.ts';

afterEach(closePipelines);

/** Turns alone, without workers: `accept` gives one out, `reach` is what the final stage's start does with it. */
async function withTurns(work: (turns: ReturnType<typeof turnsOn>) => Promise<void>): Promise<void> {
  const redis = new Redis(process.env['REDIS_URL'] ?? '');
  const prefix = `{t${randomUUID()}}`;
  try {
    await work(turnsOn(redis, prefix));
  } finally {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    await redis.quit();
  }
}

function turnsOn(redis: Redis, prefix: string) {
  const records = createRecordStore({ redis, prefix });
  return {
    records,
    accept: async (owner: string, priority: Request['priority'] = 'interactive') => {
      const [id, createdAt] = [newRequestId(), Date.now()];
      const source = { kind: 'url', url: 'https://example.com/a.jpg' } as const;
      const request = { id, owner, question: '', locale: 'ko', source, priority, createdAt } as const;
      const { turn } = await records.accept({ ...request, deadlineAt: createdAt + 60_000 });
      return { id, turn };
    },
    reach: async (id: string) => await records.start({ id, stage: 'llm', token: id }),
  };
}

test('an owner with a long line does not stand before one with a short line', async () => {
  await withTurns(async ({ accept, reach, records }) => {
    const long = [];
    for (let n = 0; n < 10; n += 1) long.push(await accept('ann'));
    expect(long.map(({ turn }) => turn)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect((await accept('bob')).turn).toBe(0);
    for (const { id } of long.slice(0, 5)) await reach(id);
    expect(await records.nextTurn('cyd', 'interactive')).toBe(4);
    // A newcomer comes next, behind nobody's backlog and before nobody's served part; who was there keeps the own order.
    expect((await accept('cyd')).turn).toBe(4);
    expect((await accept('cyd')).turn).toBe(5);
    expect((await accept('ann')).turn).toBe(10);
  });
});

test('an owner does not pay turns for requests that came to nothing', async () => {
  await withTurns(async ({ accept, reach, records }) => {
    const first = await accept('bob');
    for (let n = 0; n < 20; n += 1) {
      const { id } = await accept('ann');
      if (n % 2 === 0) await records.cancel(id);
      else await records.fail(id, failure('image_undecodable', 'No image.'));
    }
    expect((await accept('ann')).turn).toBe(0);
    // One that reached the final stage has had its turn, however it ends.
    await reach(first.id);
    await records.cancel(first.id);
    expect((await accept('bob')).turn).toBe(1);
  });
});

test('turns begin anew when nothing is open, and classes have their own', async () => {
  await withTurns(async ({ accept, records }) => {
    const { id } = await accept('ann');
    expect((await accept('ann', 'batch')).turn).toBe(0);
    const other = await accept('ann');
    expect(other.turn).toBe(1);
    for (const open of await records.open(10, 0)) await records.cancel(open);
    expect(await records.get(id)).toMatchObject({ status: 'canceled', turn: 0 });
    expect((await accept('ann')).turn).toBe(0);
  });
});

test("behind another owner's 300 interactive and 300 batch requests, one request takes the first slots that become free", async () => {
  const slots = 4;
  const { submit, feed, runs } = await startPipeline(
    {
      vision: async () => {
        await delay(200);
        return outputs.vision;
      },
    },
    { concurrency: slots },
  );
  const held: string[] = [];
  for (let n = 0; n < 300; n += 1) {
    held.push(await submit({ owner: 'ann', priority: 'batch' }), await submit({ owner: 'ann' }));
  }
  for (let n = 0; n < 5; n += 1) {
    const id = await submit({ owner: 'bob' });
    const begunBefore = runs.vision;
    let begunMeanwhile = Infinity;
    const onEvent = ({ type, data }: RequestEvent) => {
      if (type === 'stage.started' && data['stage'] === 'vision') begunMeanwhile = runs.vision - begunBefore;
    };
    await feed.follow(id, 0, onEvent, AbortSignal.timeout(patienceMs));
    // What takes a slot while the request is at the stage before, and then itself: never the line of 600.
    expect(begunMeanwhile).toBeLessThanOrEqual(2 * slots + 1);
  }
  expect(runs.vision).toBeLessThan(held.length);
});
