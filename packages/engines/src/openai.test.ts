import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { patienceMs, startModelApiSimulator, type ModelApiSimulator } from '@bunri/testkit';
import { z } from 'zod';
import { openAiEngine } from './openai.ts';
import { createOpenAiClient } from './openai-responses.ts';
import { partialAnswer } from './partial-answer.ts';

let simulator: ModelApiSimulator;
beforeEach(async () => {
  simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [40, 40] }, seed: 1 });
});
afterEach(() => simulator.stop());

const schema = z.object({ answer: z.string().min(1), steps: z.array(z.object({ rule_id: z.string() })) });

function engine() {
  return openAiEngine({
    client: createOpenAiClient({ apiKey: 'sk-test', baseUrl: simulator.baseUrl, timeoutMs: patienceMs }),
    model: 'gpt-4o-mini',
    buildCall: (rule: string) => ({
      instructions: 'Answer.',
      text: `[rule:${rule}] Do it.`,
      schema,
      schemaName: 'answer',
    }),
  });
}
const signal = new AbortController().signal;

test('a batch is answered in its order, all calls in flight at once', async () => {
  const predictions = await engine().predict(['a', 'b', 'c'], { signal });
  expect(predictions.map(({ value }) => value.steps)).toEqual([
    [{ rule_id: 'a' }],
    [{ rule_id: 'b' }],
    [{ rule_id: 'c' }],
  ]);
  const ends = simulator.calls().map(({ at, durationMs }) => at + (durationMs ?? 0));
  expect(Math.max(...simulator.calls().map(({ at }) => at))).toBeLessThanOrEqual(Math.min(...ends));
});

test('a listener hears the text of each task by its task', async () => {
  const heard = new Map<string, string>();
  const predictions = await engine().predict(['a', 'b'], { signal, onText: (task, text) => heard.set(task, text) });
  expect([...heard.keys()].length).toBe(2);
  expect(partialAnswer(heard.get('a') ?? '')).toBe(predictions[0]?.value.answer);
  expect(partialAnswer(heard.get('b') ?? '')).toBe(predictions[1]?.value.answer);
});

test('one failure ends the other calls of its batch and is the error of the batch', async () => {
  simulator.setFaults([{ fault: 'hang', times: 2 }, { fault: 'quota' }]);
  const batch = engine().predict(['a', 'b', 'c'], { signal });
  await expect(batch).rejects.toMatchObject({ code: 'model_quota_exhausted' });
  while (simulator.calls().some(({ durationMs }) => durationMs === null)) await delay(1);
  expect(simulator.calls().filter(({ aborted }) => aborted)).toHaveLength(2);
});

test('it holds no memory, and loading and unloading make no call', async () => {
  const remote = engine();
  await remote.load();
  expect(remote.memoryBytes()).toBe(0);
  await remote.unload();
  expect(simulator.calls()).toEqual([]);
});
