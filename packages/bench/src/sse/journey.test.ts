import { expect, test } from '@jest/globals';
import { seededRandom } from '@bunri/testkit';
import { deliveries, eventsOf, journeyOf, shuffledTurns } from './journey.ts';

test('a journey starts and finishes every stage once, and only the last one speaks', () => {
  const journey = journeyOf(2);
  expect(journey.map(({ act, stage }) => `${act} ${stage}`)).toEqual([
    ...['preprocess', 'vision', 'rag'].flatMap((stage) => [`start ${stage}`, `finish ${stage}`]),
    'start llm',
    'delta llm',
    'delta llm',
    'finish llm',
  ]);
  expect(eventsOf(journey)).toBe(1 + 10 + 1);
});

test('every request gets its turn as often as it has steps, and the same seed gives the same order', () => {
  const turns = [...shuffledTurns(50, 4, seededRandom(1))];
  for (let request = 0; request < 50; request += 1) {
    expect(turns.filter((turn) => turn === request)).toHaveLength(4);
  }
  expect([...shuffledTurns(50, 4, seededRandom(1))]).toEqual(turns);
  expect(turns.slice(0, 50)).not.toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test('an event that did not arrive is missing, and one whose sending was not timed is only counted', () => {
  const sentAt = [Float64Array.of(Number.NaN, 10, 20), Float64Array.of(Number.NaN, 30, 40)];
  const heard = [
    { request: 0, arrivedAt: Float64Array.of(1, 11, Number.NaN), astray: 0 },
    { request: 1, arrivedAt: Float64Array.of(1, 33, 44), astray: 2 },
    { request: 1, arrivedAt: Float64Array.of(1, 35, 46), astray: 0 },
  ];
  expect(deliveries(sentAt, heard)).toEqual({ latencies: [1, 3, 4, 5, 6], missing: 1, astray: 2 });
});
