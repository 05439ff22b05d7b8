import { expect, test } from '@jest/globals';
import { buildContext } from '@bunri/knowledge';
import type { GuidanceAnswer } from '@bunri/llm-worker/guidance';
import type { GuidanceTask } from '@bunri/llm-worker/prompt';
import type { Classification } from '@bunri/queue-contracts';
import { createMetrics, PermanentError, RateLimitedError, TransientError } from '@bunri/runtime';
import { modelEngine, rulesEngine } from './answer-engine.ts';

const classification: Classification = {
  waste_category: 'recyclable',
  subcategory: '종이팩',
  item_id: 'milk-carton',
  item_name: 'Milk carton',
  confidence: 0.9,
  condition: { cap: 'unknown', rinsed: 'unknown', contamination: 'none', label: 'unknown' },
  engine: { provider: 'test', model: 'test' },
};
const question = 'Where does it go?';
const context = buildContext({ classification, question, locale: 'en', tokenBudget: 800 });
const task: GuidanceTask = { classification, question, locale: 'en', context };
const signal = new AbortController().signal;

const [sentence] = context.sentences;
const good: GuidanceAnswer = {
  answer: sentence?.text ?? '',
  steps: [{ text: sentence?.text ?? '', rule_ids: [sentence?.rule_id ?? ''] }],
  missing: [],
  warnings: [],
};
const bad: GuidanceAnswer = { ...good, answer: 'Pay 99999 won at the moon office.' };

/** An engine that says or throws these, one a call. */
function engineSaying(...answers: (GuidanceAnswer | Error)[]) {
  const asked: GuidanceTask[] = [];
  const waits: number[] = [];
  const engine = modelEngine({
    name: 'fake',
    version: '2',
    prices: { fake: { input: 1, cachedInput: 1, output: 1 } },
    metrics: createMetrics({ app: 'test', processMetrics: false }),
    sleep: async (ms) => await Promise.resolve(void waits.push(ms)),
    engine: {
      model: 'fake',
      predict: async ([given]) => {
        if (given) asked.push(given);
        const answer = answers.shift();
        if (answer === undefined) throw new Error('asked too often');
        if (answer instanceof Error) throw answer;
        const tokens = { input: 10, cachedInput: 0, output: 5 };
        return await Promise.resolve([{ value: answer, engine: { provider: 'test', model: 'fake' }, tokens }]);
      },
    },
  });
  return { engine, asked, waits };
}

test('an answer that passes its checks is taken as it is', async () => {
  const { engine, asked } = engineSaying(good);
  const written = await engine.write(task, signal);
  expect(written).toMatchObject({ degraded: null, usage: { input_tokens: 10, output_tokens: 5 } });
  expect(written.guidance.answer).toBe(good.answer);
  expect(asked).toHaveLength(1);
});

test('an answer that fails its checks is told once what was wrong, and both calls count', async () => {
  const { engine, asked } = engineSaying(bad, good);
  const written = await engine.write(task, signal);
  expect(written).toMatchObject({ degraded: null, usage: { input_tokens: 20, output_tokens: 10 } });
  expect(asked[0]?.problems).toBeUndefined();
  expect(asked[1]?.problems?.join(' ')).toContain('99999');
});

test('after two failed answers the rules answer, and the case says so', async () => {
  const { engine } = engineSaying(bad, bad);
  const written = await engine.write(task, signal);
  expect(written).toMatchObject({ degraded: 'model_output_invalid', usage: { input_tokens: 20 } });
  expect(written.guidance).toEqual((await rulesEngine().write(task, signal)).guidance);
});

test('a rate limit is waited for, and other trouble is told', async () => {
  const limited = engineSaying(new RateLimitedError(1500, 'slow down'), good);
  expect((await limited.engine.write(task, signal)).degraded).toBeNull();
  expect(limited.waits).toEqual([1500]);
  const blocked = engineSaying(new PermanentError('model_auth_failed', 'blocked'));
  await expect(blocked.engine.write(task, signal)).rejects.toThrow('blocked');
  const always = engineSaying(...Array.from({ length: 6 }, () => new RateLimitedError(1, 'slow down')));
  await expect(always.engine.write(task, signal)).rejects.toThrow('slow down');
});

test('trouble that may pass is tried again, as often as the pipeline does, and then told', async () => {
  const down = () => new TransientError('model_unavailable', 'down');
  const shortly = engineSaying(down(), down(), down(), good);
  expect((await shortly.engine.write(task, signal)).degraded).toBeNull();
  expect(shortly.waits).toEqual([1000, 2000, 4000]);
  const long = engineSaying(down(), down(), down(), down());
  await expect(long.engine.write(task, signal)).rejects.toThrow('down');
});
