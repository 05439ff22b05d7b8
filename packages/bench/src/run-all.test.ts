import { expect, test } from '@jest/globals';
import { runAll } from './run-all.ts';
import type { Scenario } from './scenario.ts';

const options = { rounds: 1, count: undefined, redisBinary: undefined, path: undefined };
const report = { figures: [] };
const good = (name: string): Scenario => ({ name, summary: 'good', run: async () => await Promise.resolve(report) });

test('a scenario that throws is named with its error, and the reports of the others stay', async () => {
  const lines: string[] = [];
  const error = new Error('no Redis');
  const bad: Scenario = { name: 'b', summary: 'bad', run: async () => await Promise.reject(error) };
  const { reports, failures } = await runAll([good('a'), bad, good('c')], {
    ...options,
    say: (line) => lines.push(line),
  });
  expect([...reports]).toEqual([
    ['a', report],
    ['c', report],
  ]);
  expect([...failures]).toEqual([['b', error]]);
  expect(lines).toEqual(['a: good', 'b: bad', 'b: failed', 'c: good']);
});
