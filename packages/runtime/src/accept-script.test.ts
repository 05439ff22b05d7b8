import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { FlowProducer } from 'bullmq';
import { Redis } from 'ioredis';
import { localModel, looksOf, stageJobId, stages, type FlowOrder, type Request } from '@bunri/queue-contracts';
import { createFlowQueue, newRequestId, type FlowQueue } from './enqueue.ts';
import { flowScript } from './flow-script.ts';
import { createLogger } from './log.ts';
import { createRecordStore, type RecordStore } from './records.ts';

interface Side {
  readonly prefix: string;
  readonly records: RecordStore;
  readonly flows: FlowQueue;
}

const log = createLogger({ app: 'test', level: 'warn', silent: true });
const told = jest.spyOn(log, 'warn') as unknown as jest.Mock<(message: string, meta: object) => void>;
let redis: Redis;
let together: Side;
let apart: Side;
const closers: (() => Promise<void>)[] = [];

function open(): Side {
  const prefix = `{t${randomUUID()}}`;
  const flows = createFlowQueue({ redis, prefix, log });
  closers.push(async () => await flows.close());
  return { prefix, records: createRecordStore({ redis, prefix }), flows };
}

beforeAll(async () => {
  redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
  [together, apart] = [open(), open()];
  // What takes flows along is made ready behind the first requests.
  for (let n = 0; n < 200 && !(await send(together)).queued; n += 1) await new Promise((r) => setTimeout(r, 10));
  await clear();
});
afterAll(async () => {
  await clear();
  for (const close of closers) await close();
  await redis.quit();
});

async function clear() {
  for (const { prefix } of [together, apart]) {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
  }
}

function newRequest(over: Partial<Request> = {}): Request {
  return {
    id: newRequestId(),
    owner: 'ann',
    question: '이거 어떻게 버려요?',
    locale: 'ko',
    source: { kind: 'upload', key: 'uploads/x', sha256: 'a'.repeat(64), sizeBytes: 10 },
    priority: 'interactive',
    createdAt: 1_000,
    deadlineAt: Date.now() + 120_000,
    ...over,
  };
}

function orderOf({ id, deadlineAt, priority, trace }: Request): FlowOrder {
  return { id, deadlineAt, priority, ...(trace === undefined ? {} : { trace }) };
}

async function send({ records, flows }: Side, request = newRequest(), order = orderOf(request)) {
  return await records.accept(request, { flow: flows.along(order) });
}

/** All that is stored, but for times and the prefix. */
async function stored({ prefix }: Side): Promise<Record<string, unknown>> {
  const parsed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(parsed);
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, parsed(field)]));
    }
    const text = String(value).replaceAll(prefix, '');
    if (/^[{[]/.test(text)) return parsed(JSON.parse(text));
    return /^1[789]\d{11}(-\d+)?$/.test(text) ? 'a time' : text;
  };
  const read: Record<string, (key: string) => Promise<unknown>> = {
    hash: async (key) => await redis.hgetall(key),
    zset: async (key) => await redis.zrange(key, '0', '-1', 'WITHSCORES'),
    stream: async (key) => (await redis.xrange(key, '-', '+')).map(([, fields]) => fields),
    set: async (key) => (await redis.smembers(key)).toSorted(),
    string: async (key) => await redis.get(key),
  };
  const found: Record<string, unknown> = {};
  for (const key of (await redis.keys(`${prefix}*`)).toSorted()) {
    found[key.slice(prefix.length)] = parsed(await read[await redis.type(key)]?.(key));
  }
  return found;
}

test('leaves behind what acceptance and BullMQ leave when each goes by itself', async () => {
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const requests = [newRequest(), newRequest(), newRequest({ priority: 'batch', trace }), newRequest({ owner: 'bob' })];
  for (const request of requests) {
    const sent = await send(together, request);
    expect(sent).toMatchObject({ outcome: 'accepted', queued: true });
    const { turn, before, queued } = await apart.records.accept(request);
    expect({ turn, before, queued }).toEqual({ turn: sent.turn, before: sent.before, queued: false });
    await apart.flows.add({ ...orderOf(request), turn });
  }
  const left = await stored(together);
  expect(left[`:${stages.llm.queue}:${stageJobId(requests[1]?.id ?? '', 'llm')}`]).toMatchObject({ priority: '4' });
  expect(left).toEqual(await stored(apart));
  await clear();
});

test('no time of the example stays in the script', async () => {
  const { prefix } = together;
  const producer = new FlowProducer({ connection: redis, prefix });
  await producer.waitUntilReady();
  const lua = await flowScript(redis, producer);
  const calls = lua.slice(lua.indexOf('local function addFlow'));
  expect(calls).toContain(`${prefix}:${stages.llm.queue}`);
  expect(calls).not.toMatch(/\d{10}/);
  await producer.close();
});

test('adds nothing for a request that is not accepted', async () => {
  const idempotency = { key: 'k', fingerprint: 'f' };
  const [first, second] = [newRequest(), newRequest()];
  await together.records.accept(first, { idempotency, flow: together.flows.along(orderOf(first)) });
  const before = await stored(together);
  const again = await together.records.accept(second, { idempotency, flow: together.flows.along(orderOf(second)) });
  expect(again).toMatchObject({ outcome: 'existing', id: first.id, queued: false });
  expect(await send(together, first)).toMatchObject({ outcome: 'existing', queued: false });
  expect(await stored(together)).toEqual(before);
  await clear();
});

test('a flow that is not an ordinary one goes by itself', async () => {
  const models = ['gpt-5', localModel];
  const unusual: Partial<FlowOrder>[] = [{ looks: looksOf(models) }, { from: 'llm' }, { generation: 1 }];
  for (const over of unusual) {
    const request = newRequest();
    const sent = await send(together, request, { ...orderOf(request), ...over });
    expect(sent).toMatchObject({ outcome: 'accepted', queued: false });
  }
  await clear();
});

test('with a BullMQ whose arguments cannot be read off, flows go by themselves', async () => {
  const unreadable = jest.spyOn(FlowProducer.prototype, 'getBackend').mockImplementation(() => {
    throw new Error('of a later release');
  });
  const side = open();
  const request = newRequest();
  await side.flows.add(orderOf(request));
  expect(unreadable).toHaveBeenCalled();
  unreadable.mockRestore();
  expect(told).toHaveBeenCalledWith('no flow goes along with the acceptance of its request', expect.anything());
  expect(await redis.zcard(`${side.prefix}:${stages.preprocess.queue}:prioritized`)).toBe(1);
  expect(await send(side, request)).toMatchObject({ outcome: 'accepted', queued: false });
  await redis.unlink(...(await redis.keys(`${side.prefix}*`)));
});

test('where its flow cannot be added a request is accepted all the same, and adding it later completes it', async () => {
  const request = newRequest();
  const { queue } = stages.preprocess;
  // BullMQ counts its jobs here.
  await redis.set(`${together.prefix}:${queue}:id`, 'not a number');
  expect(await send(together, request)).toMatchObject({ outcome: 'accepted', queued: false });
  const error = expect.objectContaining({ message: expect.stringContaining('not an integer') });
  expect(told).toHaveBeenCalledWith('a flow did not go along with its request', { error });
  await redis.del(`${together.prefix}:${queue}:id`);
  await together.flows.add(orderOf(request));
  expect(await redis.zcard(`${together.prefix}:${queue}:prioritized`)).toBe(1);
  for (const stage of ['vision', 'rag', 'llm'] as const) {
    expect(await redis.zcard(`${together.prefix}:${stages[stage].queue}:waiting-children`)).toBe(1);
  }
  await clear();
});
