import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { streamAnswer } from './answer-stream.ts';

const run = { id: 'req_1', stage: 'llm', token: 'token' } as const;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A record store with so many listeners, and an answer that grows by a letter every 50 ms. */
function startAnswer(listeners: number) {
  const channel = { listeners, asked: 0, pieces: [] as { offset: number; text: string }[] };
  const stream = streamAnswer(
    {
      keys: { events: (id) => `events:${id}` },
      redis: {
        pubsub: (_, name) => {
          channel.asked += 1;
          return Promise.resolve([name, channel.listeners]);
        },
      },
      delta: (_, offset, text) => {
        channel.pieces.push({ offset, text });
        return Promise.resolve({ outcome: 'emitted' });
      },
    },
    run,
  );
  let answer = '';
  const grow = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      answer += 'a';
      const soFar = answer;
      stream.push(() => soFar);
      await jest.advanceTimersByTimeAsync(50);
    }
  };
  return { channel, stream, grow };
}

test('whoever listens sees the answer grow five times a second, and is asked for once in five pieces', async () => {
  const { channel, stream, grow } = startAnswer(1);
  await grow(4_000);
  await stream.close();
  expect(channel.pieces).toHaveLength(20);
  expect(channel.pieces.every(({ offset }, at) => offset === at * 4)).toBe(true);
  expect(channel.asked).toBe(4);
});

test('an answer that nobody listens to costs one command a second', async () => {
  const { channel, stream, grow } = startAnswer(0);
  await grow(4_200);
  await stream.close();
  expect(channel).toMatchObject({ asked: 5, pieces: [] });
});

test('a listener that comes late gets the text from its start within little more than a second', async () => {
  const { channel, stream, grow } = startAnswer(0);
  await grow(600);
  channel.listeners = 1;
  await grow(1_200);
  await stream.close();
  expect(channel.pieces[0]).toMatchObject({ offset: 0, text: expect.stringMatching(/^a{12,}$/) });
  expect(channel.pieces.length).toBeGreaterThan(1);
});

test('after the last listener has left, no more than five pieces are written', async () => {
  const { channel, stream, grow } = startAnswer(1);
  await grow(400);
  const before = channel.pieces.length;
  channel.listeners = 0;
  await grow(5_000);
  await stream.close();
  expect(before).toBeGreaterThan(0);
  expect(channel.pieces.length - before).toBeLessThanOrEqual(5);
});
