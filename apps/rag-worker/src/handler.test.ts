import { expect, test } from '@jest/globals';
import { itemById } from '@bunri/knowledge';
import { stages, type Classification, type StageInput } from '@bunri/queue-contracts';
import { createLogger, createMetrics, parseConfig } from '@bunri/runtime';
import { configSchema } from './config.ts';
import { makeHandler } from './handler.ts';

const bottle: Classification = {
  waste_category: 'recyclable',
  subcategory: '무색페트병',
  item_id: 'clear-pet-bottle',
  item_name: '투명 페트병',
  confidence: 0.93,
  condition: { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' },
  engine: { provider: 'test', model: 'test' },
};

function input(
  classification: Partial<Classification>,
  request: Partial<StageInput<'rag'>['request']> = {},
): StageInput<'rag'> {
  return {
    request: {
      id: 'req_019a9c1e7b3a7c3e9d0f2a4b6c8d0e1f',
      owner: 'test',
      question: '어떻게 버리나요?',
      locale: 'ko',
      source: { kind: 'url', url: 'https://example.com/photo.jpg' },
      priority: 'interactive',
      createdAt: 0,
      deadlineAt: 120_000,
      ...request,
    },
    vision: {
      classification: { ...bottle, ...classification },
      usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
    },
  };
}

async function look(work: StageInput<'rag'>, tokenBudget = 800, metrics = createMetrics({ app: 'test' })) {
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const { signal } = new AbortController();
  const context = { log, signal, jobId: 'job', onAnswer: () => undefined, lastAttempt: false };
  const { output, cached } = await makeHandler({ tokenBudget, metrics })(work, context);
  expect(cached).toBe(false);
  return stages.rag.output.parse(output);
}

test('a known item brings the rules that its condition asks for', async () => {
  const context = await look(input({}));
  expect(context).toMatchObject({ item_id: 'clear-pet-bottle', match: 'id' });
  const rules = context.sentences.map(({ rule_id }) => rule_id);
  expect(rules).toEqual(expect.arrayContaining(['clear-pet-bottle/rinse', 'clear-pet-bottle/label-off']));
});

test('the rules come in the language of the request', async () => {
  const [korean, english] = [await look(input({})), await look(input({}, { locale: 'en' }))];
  expect(korean.sentences.every(({ text }) => /\p{Script=Hangul}/u.test(text))).toBe(true);
  expect(english.sentences.some(({ text }) => /\p{Script=Hangul}/u.test(text))).toBe(false);
});

test('an item that vision could only name is searched, and one that nobody knows gets the rules of its category', async () => {
  expect(await look(input({ item_id: null, item_name: '투명 페트병' }))).toMatchObject({ match: 'search' });
  const unknown = await look(input({ item_id: null, item_name: 'zzz', subcategory: 'zzz' }, { question: '' }));
  expect(unknown).toMatchObject({ item_id: null, match: 'category' });
  expect(unknown.sentences.length).toBeGreaterThan(0);
});

test('the context stays within its token budget', async () => {
  const [small, large] = [await look(input({}), 80), await look(input({}), 800)];
  expect(small.tokens).toBeLessThanOrEqual(80);
  expect(small.sentences.length).toBeLessThan(large.sentences.length);
});

test('what the person said that the thing is goes before what vision saw', async () => {
  const of = 'req_019a9c1e7b3a7c3e9d0f2a4b6c8d0e1e';
  const byId = await look(input({}, { clarifies: { of, itemId: 'receipt' } }));
  expect(byId).toMatchObject({ item_id: 'receipt', match: 'id', outcome: { waste_category: 'general' } });
  const byText = await look(input({}, { clarifies: { of, text: '거울' } }));
  expect(byText).toMatchObject({ item_id: 'mirror', match: 'search' });
});

test('a guess is asked back', async () => {
  const { clarification } = await look(input({ confidence: 0.4 }));
  expect(clarification?.options.length).toBeGreaterThan(1);
});

test('two who see different bins are asked about, and what both saw is in the context', async () => {
  const ofItem = (id: string, provider: string): Partial<Classification> => {
    const item = itemById(id);
    return {
      item_id: id,
      item_name: item?.names.ko ?? '',
      subcategory: item?.subcategory ?? '',
      engine: { provider, model: provider },
    };
  };
  const work = input(ofItem('milk-carton', 'test'));
  const { vision } = input(ofItem('glass-bottle', 'local'));
  expect(await look(work)).not.toHaveProperty('clarification');
  const { seen, clarification, item_id } = await look({ ...work, secondOpinion: vision });
  expect(seen).toMatchObject({ agreement: 'none', item_id: 'milk-carton', opinions: [{}, {}] });
  expect(item_id).toBe('milk-carton');
  expect(clarification?.options.map(({ item_id: id }) => id)).toEqual(['milk-carton', 'glass-bottle']);
  const agreed = await look({ ...work, secondOpinion: work.vision });
  expect(agreed).toMatchObject({ seen: { agreement: 'item', confidence: 0.963 } });
  expect(agreed).not.toHaveProperty('clarification');
});

test('one opinion alone is told as it is', async () => {
  expect(await look(input({}))).not.toHaveProperty('seen');
});

test('every look-up is timed by how it found the rules', async () => {
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  await look(input({}), 800, metrics);
  await look(input({}), 800, metrics);
  await look(input({ item_id: null, item_name: 'zzz', subcategory: 'zzz' }, { question: '' }), 800, metrics);
  const { values } = await metrics.retrievalSeconds.get();
  const counts = values.filter(({ metricName }) => metricName?.endsWith('_count'));
  expect(counts.map(({ labels, value }) => [labels.by, value])).toEqual([
    ['id', 2],
    ['category', 1],
  ]);
});

test('the same request gives the same context', async () => {
  expect(await look(input({}))).toEqual(await look(input({})));
});

test('a budget into which no sentence fits is refused at the start', () => {
  const settings = { REDIS_URL: 'redis://127.0.0.1:6379', CONTEXT_TOKEN_BUDGET: '79' };
  expect(() => parseConfig(configSchema, settings)).toThrow('CONTEXT_TOKEN_BUDGET');
});
