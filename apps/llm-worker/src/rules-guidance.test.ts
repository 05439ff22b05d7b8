import { expect, test } from '@jest/globals';
import { guidanceSchema, type Classification, type Context, type ContextSentence } from '@bunri/queue-contracts';
import { rulesOnlyGuidance, rulesOnlyOutput } from './rules-guidance.ts';

const sentence = (rule_id: string, kind: ContextSentence['kind'], text: string): ContextSentence => ({
  rule_id,
  kind,
  text,
  version: '2023',
});
const rinse = sentence('food-can/rinse', 'step', '내용물을 비우고 헹구세요.');
const bin = sentence('food-can/bin', 'step', '캔 수거함에 넣으세요.');
const lid = sentence('food-can/lid', 'condition', '플라스틱 뚜껑이 있으면 떼어 플라스틱류로 내놓으세요.');
const dirty = sentence('food-can/dirty', 'condition', '굳은 음식이 묻어 있으면 불려 씻은 뒤 내놓으세요.');
const gas = sentence('food-can/gas', 'prohibition', '가스가 남은 용기는 내놓지 마세요.');

const classification: Classification = {
  waste_category: 'recyclable',
  subcategory: '금속캔',
  item_id: 'food-can',
  item_name: '통조림 캔',
  confidence: 0.9,
  condition: { cap: 'on', rinsed: 'no', contamination: 'light', label: 'none' },
  engine: { provider: 'openai', model: 'gpt-5' },
};
const context: Context = {
  item_id: 'food-can',
  item_name: '통조림 캔',
  match: 'id',
  candidates: [],
  sentences: [rinse, bin, lid, dirty, gas],
  catalogue_version: 'v1',
  tokens: 60,
};
type Condition = Classification['condition'];
const inCondition = (condition: Partial<Condition>) => ({
  ...classification,
  condition: { ...classification.condition, ...condition },
});

test.each(['ko', 'en'] as const)('in %s it says that no language model made it, and is valid guidance', (locale) => {
  const guidance = rulesOnlyGuidance({ classification, context, locale });
  expect(guidanceSchema.safeParse(guidance).error).toBeUndefined();
  expect(guidance.answer).toMatch(
    locale === 'ko' ? /언어 모델의 답을 받을 수 없어/ : /No language model could be asked/,
  );
  expect(guidance.answer).toContain('통조림 캔');
  expect(guidance.answer).toContain('금속캔');
});

test('every step is a sentence of the rules and cites it; what must not be done is a warning; both are sources', () => {
  const { steps, warnings, sources } = rulesOnlyGuidance({ classification, context, locale: 'ko' });
  expect(steps).toEqual([rinse, bin, lid, dirty].map(({ rule_id, text }) => ({ text, rule_ids: [rule_id] })));
  expect(warnings).toEqual([gas.text]);
  expect(sources).toEqual(context.sentences.map(({ rule_id, version }) => ({ rule_id, version })));
});

test('of a heavily soiled thing, what depends on its condition comes first', () => {
  const soiled = inCondition({ contamination: 'heavy' });
  const { steps, answer } = rulesOnlyGuidance({ classification: soiled, context, locale: 'ko' });
  expect(steps.map(({ rule_ids }) => rule_ids[0])).toEqual([lid, dirty, rinse, bin].map(({ rule_id }) => rule_id));
  expect(answer).toContain('오염이 심해 보여서');
});

test.each([
  ['nothing, where all is known', {}, []],
  ['the cap, where a rule names it', { cap: 'unknown' }, ['뚜껑이나 마개가 달려 있나요?']],
  ['no label, where no rule names one', { label: 'unknown' }, []],
  [
    'at most two states',
    { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown' },
    [expect.any(String), expect.any(String)],
  ],
] as const)('it asks back %s', (_, condition, missing) => {
  const { missing: asked } = rulesOnlyGuidance({ classification: inCondition(condition), context, locale: 'ko' });
  expect(asked).toEqual(missing);
});

test('an item that is not certain is named as such, and the candidates are asked for', () => {
  const candidates = [
    { item_id: 'food-can', item_name: 'Food can', score: 0.7 },
    { item_id: 'spray-can', item_name: 'Spray can', score: 0.6 },
  ];
  const guessed: Context = { ...context, match: 'search', item_name: 'Food can', candidates };
  const { answer, missing } = rulesOnlyGuidance({ classification, context: guessed, locale: 'en' });
  expect(answer).toMatch(/seems to show: Food can, but that is not certain/);
  expect(missing).toEqual(['Which of these is it: Food can, Spray can?']);
});

test('without any rule there are no steps, but a question back and who to ask', () => {
  const empty: Context = { ...context, match: 'category', sentences: [] };
  for (const locale of ['ko', 'en'] as const) {
    const guidance = rulesOnlyGuidance({ classification, context: empty, locale });
    expect(guidanceSchema.safeParse(guidance).error).toBeUndefined();
    expect(guidance).toMatchObject({ steps: [], warnings: [], sources: [] });
    expect(guidance.missing).toHaveLength(1);
    expect(guidance.answer).toMatch(/지자체에 확인|ask your municipality/);
  }
});

test('it never has more steps than a model is asked for', () => {
  const many = Array.from({ length: 12 }, (_, i) => sentence(`a/${i}`, 'step', `${i}`));
  const { steps, sources } = rulesOnlyGuidance({
    classification,
    context: { ...context, sentences: many },
    locale: 'ko',
  });
  expect([steps.length, sources.length]).toEqual([8, 8]);
});

test('the engine is the rules, in the edition that they were taken from, and costs nothing', () => {
  expect(rulesOnlyOutput({ classification, context, locale: 'ko' })).toMatchObject({
    engine: { provider: 'rules', model: 'v1' },
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  });
});
