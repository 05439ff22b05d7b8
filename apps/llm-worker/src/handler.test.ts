import { expect, test } from '@jest/globals';
import { cacheKey, lookUpRequest, PermanentError, promptVersions, type ResultCache } from '@bunri/runtime';
import { answer, answeredBy, input, setUp, uploadSha256 } from './handler-fixture.ts';

test('guidance has the supported steps alone, and counts the others', async () => {
  const { handle, metrics } = setUp();
  const { output, cached } = await handle(input);
  expect(cached).toBe(false);
  expect(output).toEqual({
    guidance: {
      ...answer,
      steps: [answer.steps[0]],
      sources: [{ rule_id: 'beverage-can/rinse', version: '2023' }],
    },
    engine: { provider: 'fake', model: 'dated', prompt_version: promptVersions.llm },
    usage: { input_tokens: 100, output_tokens: 10, cost_usd: expect.closeTo(0.00011, 9) },
    droppedSteps: 1,
  });
  expect((await metrics.droppedSteps.get()).values[0]?.value).toBe(1);
});

test('listeners see the text of the answer while it grows, and nothing of its JSON', async () => {
  const { handle, shown } = setUp();
  await handle(input);
  expect(shown).toEqual(['네, 헹', '네, 헹궈 주세요.']);
});

test('the same request is paid for once', async () => {
  const { handle, tasks, metrics } = setUp();
  const first = await handle(input);
  const again = await handle(input);
  expect(tasks).toHaveLength(1);
  expect(again).toEqual({
    cached: true,
    output: { ...first.output, usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 } },
  });
  expect((await metrics.droppedSteps.get()).values[0]?.value).toBe(1);
});

const english = {
  ...answer,
  answer: 'Yes, rinse it.',
  steps: [{ text: 'Rinse it.', rule_ids: ['beverage-can/rinse'] }],
};
const { request, vision, rag } = input;
const { classification } = vision;
const [rule] = rag.sentences;

test.each([
  { other: 'question', change: { request: { ...request, question: '라벨은요?' } } },
  { other: 'language', change: { request: { ...request, locale: 'en' as const } } },
  { other: 'condition', change: { vision: { ...vision, classification: { ...classification, confidence: 0.5 } } } },
  { other: 'wording of a rule', change: { rag: { ...rag, sentences: rule ? [{ ...rule, text: '버리세요.' }] : [] } } },
])('another $other is another call', async ({ change }) => {
  const { handle, tasks } = setUp({ said: [answer, change.request?.locale === 'en' ? english : answer] });
  await handle(input);
  expect((await handle({ ...input, ...change })).cached).toBe(false);
  expect(tasks).toHaveLength(2);
});

test('another prompt or model reuses nothing, since both are in the key', async () => {
  const { handle, cache } = setUp();
  const keys: string[] = [];
  cache.set = (name, key) => Promise.resolve(void (name === 'answer' && keys.push(key)));
  await handle(input);
  const { engine: _engine, ...seen } = classification;
  const { sha256 } = input.preprocess;
  const { catalogue_version: _version, ...rules } = rag;
  expect(keys).toEqual([cacheKey([sha256, '헹궈야 하나요?', 'ko', seen, rules, 'gpt-4o-mini', promptVersions.llm])]);
});

test('it does not matter which engine classified the photo', async () => {
  const { handle } = setUp();
  await handle(input);
  const other = { ...vision, classification: { ...classification, engine: { provider: 'azure', model: 'gpt-5-x' } } };
  expect((await handle({ ...input, vision: other })).cached).toBe(true);
});

test('a finished upload is kept for the api with the outputs of all stages', async () => {
  const { handle, cache } = setUp();
  const { output } = await handle(input);
  const parts = { sha256: uploadSha256, question: request.question, locale: request.locale };
  const kept = await lookUpRequest(cache, { ...parts, visionModel: answeredBy.vision, llmModel: answeredBy.llm });
  expect(kept).toMatchObject({ preprocess: input.preprocess, rag, vision: { classification } });
  expect(kept?.llm.guidance).toEqual(output.guidance);
});

test('an image behind a URL is not kept for the api, since it may change', async () => {
  const { handle, cache } = setUp();
  const names: string[] = [];
  cache.set = (name) => Promise.resolve(void names.push(name));
  await handle({ ...input, request: { ...request, source: { kind: 'url', url: 'https://example.com/a.jpg' } } });
  expect(names).toEqual(['answer']);
});

test("an answer on the local model's estimate is not kept for the api, which cannot tell one of its heads from the next", async () => {
  const { handle, cache } = setUp();
  const names: string[] = [];
  cache.set = (name) => Promise.resolve(void names.push(name));
  const local = { ...classification, engine: { provider: 'local', model: 'materials@1' } };
  await handle({ ...input, vision: { ...vision, classification: local } });
  expect(names).toEqual(['answer']);
});

test("an answer that a person's word on the thing went into is not kept for whoever asks the plain question", async () => {
  const { handle, cache } = setUp();
  const names: string[] = [];
  cache.set = (name) => Promise.resolve(void names.push(name));
  await handle({ ...input, request: { ...request, clarifies: { of: request.id, itemId: 'beverage-can' } } });
  expect(names).toEqual(['answer']);
});

test('another edition of the catalogue that says the same about the item is not paid for again', async () => {
  const { handle } = setUp();
  await handle(input);
  expect((await handle({ ...input, rag: { ...rag, catalogue_version: 'v2' } })).cached).toBe(true);
});

const quota = new PermanentError('model_quota_exhausted', 'The quota is used up.');
const cacheNames = (cache: ResultCache) => {
  const names: string[] = [];
  const set = cache.set.bind(cache);
  cache.set = async (name, key, value) => {
    names.push(name);
    await set(name, key, value);
  };
  return names;
};

test("a fallback's guidance is kept under its own name alone, and never for the api", async () => {
  const { handle, asked, cache } = setUp({ fails: quota });
  const names = cacheNames(cache);
  expect(await handle(input)).toMatchObject({ cached: false, output: { degraded: 'model_quota_exhausted' } });
  expect(await handle(input)).toMatchObject({ cached: true, output: { degraded: 'model_quota_exhausted' } });
  expect(asked).toEqual(['gpt-4o-mini', 'gpt-4o', 'gpt-4o-mini']);
  expect(names).toEqual(['answer']);
});

test('where no model may be asked, the rules answer, and that answer is kept nowhere', async () => {
  const { handle, cache } = setUp({ fails: quota, rules: true });
  const names = cacheNames(cache);
  expect(await handle(input)).toMatchObject({
    cached: false,
    output: {
      degraded: 'model_quota_exhausted',
      engine: { provider: 'rules', model: 'v1' },
      usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
      guidance: { steps: [{ text: '내용물을 비우고 헹구세요.', rule_ids: ['beverage-can/rinse'] }] },
    },
  });
  expect(names).toEqual([]);
});

test('guidance on what a fallback saw is not kept for the api', async () => {
  const { handle, cache } = setUp();
  const names = cacheNames(cache);
  await handle({ ...input, vision: { ...vision, degraded: 'model_timeout' } });
  expect(names).toEqual(['answer']);
});

test('a replay asks the model that it names, alone, finds its own answer again, and shares it with nobody', async () => {
  const replayed = (digit: string, llmModel?: string) => {
    const replay = { of: `req_${'9'.repeat(32)}`, ...(llmModel && { llmModel }) };
    return { ...input, request: { ...request, id: `req_${digit.repeat(32)}`, replay } };
  };
  const { handle, asked, cache } = setUp();
  await handle(input);
  const names = cacheNames(cache);
  expect((await handle(replayed('1', 'other'))).cached).toBe(false);
  // As after a crash.
  expect((await handle(replayed('1', 'other'))).cached).toBe(true);
  expect((await handle(replayed('2', 'other'))).cached).toBe(false);
  expect((await handle(replayed('3'))).cached).toBe(false);
  expect(asked).toEqual(['gpt-4o-mini', 'other', 'other', 'gpt-4o-mini']);
  expect(names).toEqual(['answer', 'answer', 'answer']);

  const failing = setUp({ fails: quota, rules: true });
  await expect(failing.handle(replayed('1', 'other'))).rejects.toBe(quota);
});

test("an operator's replay is not paid from the spending cap of the original's owner", async () => {
  const { handle, payers } = setUp();
  await handle(input);
  await handle({ ...input, request: { ...request, replay: { of: `req_${'9'.repeat(32)}` } } });
  expect(payers).toEqual(['owner', 'replay:']);
});
