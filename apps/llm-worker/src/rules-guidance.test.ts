import { expect, test } from '@jest/globals';
import { guidanceSchema, type Context } from '@bunri/queue-contracts';
import { checkGuidance } from './check-guidance.ts';
import { prompts } from './prompt.ts';
import {
  sentence,
  rinse,
  bin,
  lid,
  dirty,
  gas,
  classification,
  context,
  guide,
  box,
  greasyBox,
  paper,
  receipt,
} from './rules-fixture.ts';
import { rulesOnlyGuidance, rulesOnlyOutput } from './rules-guidance.ts';
import { sentencesOf } from './sentences.ts';

test.each(['ko', 'en'] as const)('in %s it says that no language model made it, and is valid guidance', (locale) => {
  const guidance = guide({ locale });
  expect(guidanceSchema.safeParse(guidance).error).toBeUndefined();
  expect(guidance.answer).toMatch(locale === 'ko' ? /언어 모델의 답을 쓸 수 없어/ : /No language model could be used/);
  expect(guidance.answer).toContain('통조림 캔');
  expect(guidance.answer).toContain('금속캔');
});

test('every step is a sentence of the rules and cites it; what must not be done is a warning; both are sources', () => {
  const { steps, warnings, sources } = guide();
  expect(steps).toEqual([rinse, dirty, bin, lid].map(({ rule_id, text }) => ({ text, rule_ids: [rule_id] })));
  expect(warnings).toEqual([gas.text]);
  expect(sources.map(({ rule_id }) => rule_id).toSorted()).toEqual(
    context.sentences.map(({ rule_id }) => rule_id).toSorted(),
  );
});

test.each(['ko', 'en'] as const)(
  'in %s what its condition sends elsewhere goes there: nothing leads to its usual bin',
  (locale) => {
    const { answer, steps, outcome } = guide({ classification: paper, context: greasyBox(locale), locale });
    expect(outcome).toEqual(greasyBox(locale).outcome);
    expect(answer).toMatch(
      locale === 'ko' ? /^피자 상자는 지금 상태로는 종량제봉투에/ : /^Pizza box, in the condition/,
    );
    expect(answer).toContain(box[locale].greasy.text);
    expect(steps.map(({ rule_ids }) => rule_ids[0])).toEqual(['pizza-box/greasy', 'pizza-box/tape']);
  },
);

test('the bin is that of the outcome, not of the classification', () => {
  const { answer } = guide({ classification: paper, context: receipt });
  expect(answer).toMatch(/^영수증은 종량제봉투에 담아 일반 쓰레기로 버려 주세요\./);
});

test.each([
  ['이거 종이로 버려도 돼요?', /^약품이 발린 감열지이므로 종이류로 내놓지 마세요\. 영수증은 종량제봉투에/],
  ['어디에 버려요?', /^영수증은 종량제봉투에 담아 일반 쓰레기로 버려 주세요\. 약품이 발린/],
  ['플라스틱으로 버려도 돼요?', /^아니요, 영수증은 종량제봉투에/],
  ['재활용 되나요?', /^아니요, 영수증은 종량제봉투에/],
  ['종량제봉투에 버리면 돼요?', /^네, 영수증은 종량제봉투에/],
  ['플라스틱으로 버리면 안 되죠?', /^영수증은 종량제봉투에/],
  ['종량제봉투나 플라스틱류로 버려도 돼요?', /^영수증은 종량제봉투에/],
  ['오늘 날씨 어때?', /^저는 분리배출만 도와드릴 수 있어요\. 영수증은/],
] as const)('"%s" is answered first', (question, answer) => {
  expect(guide({ classification: paper, context: receipt, question }).answer).toMatch(answer);
});

test('a question of yes or no about a step is answered by the rule that it is about', () => {
  const label: Context = {
    ...context,
    sentences: [rinse, { ...sentence('food-can/label', 'step', '종이 라벨은 떼지 않아도 됩니다.'), asked: true }],
  };
  expect(guide({ context: label, question: '라벨 떼야 돼요?' }).answer).toMatch(
    /^종이 라벨은 떼지 않아도 됩니다\. 통조림/,
  );
});

test('however much was asked about, the answer has three sentences and that no model wrote it', () => {
  const asked = context.sentences.map((each) => ({ ...each, asked: true as const }));
  expect(sentencesOf(guide({ context: { ...context, sentences: asked } }).answer)).toHaveLength(4);
});

test('it never has more steps than a model is asked for', () => {
  const many = Array.from({ length: 12 }, (_, i) => sentence(`a/${i}`, 'step', `${i}`));
  const { steps, sources } = guide({ context: { ...context, sentences: many } });
  expect([steps.length, sources.length]).toEqual([8, 8]);
});

test.each([
  ['ko', context],
  ['ko', receipt],
  ['ko', greasyBox('ko')],
  ['en', greasyBox('en')],
] as const)('in %s it passes the checks of a model, but for the sentence that there was none', (locale, given) => {
  const task = { classification, context: given, locale, question: '' };
  const problems = checkGuidance(rulesOnlyGuidance(task), task, prompts['2'].instructions);
  expect(problems.filter(({ code }) => code !== 'long_answer')).toEqual([]);
});

test('the engine is the rules, in the edition that they were taken from, and costs nothing', () => {
  expect(rulesOnlyOutput({ classification, context, locale: 'ko', question: '' })).toMatchObject({
    engine: { provider: 'rules', model: 'v1' },
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  });
});

test('a danger that is seen comes first, and nothing leads into the usual bin', () => {
  const swollen = {
    ...sentence('power-bank/swollen', 'condition', '부풀었으면 수거함에 넣지 말고 지자체에 물어보세요.'),
    asked: true as const,
  };
  const step = sentence('power-bank/bin', 'step', '폐건전지 수거함에 넣으세요.');
  const tape = sentence('power-bank/tape', 'step', '단자에 절연 테이프를 붙이세요.');
  const battery: Context = {
    ...context,
    item_id: 'power-bank',
    item_name: '보조배터리',
    outcome: { waste_category: 'recyclable', subcategory: '전지류', rule_id: null },
    sentences: [tape, step, swollen],
  };
  const { answer, steps } = guide({ context: battery, question: '부풀었는데 수거함에 넣어요?' });
  expect(answer.startsWith(swollen.text)).toBe(true);
  expect(answer).not.toMatch(/전지류로|네,|아니요,/);
  expect(steps.map(({ text }) => text)).toEqual([swollen.text, tape.text]);
  const calm = guide({ context: { ...battery, sentences: [tape, step] }, question: '어디에 버려요?' });
  expect(calm.answer).toContain('전지류로');
  expect(calm.steps).toHaveLength(2);
});

test('what must not go with its own stream is not sent there in the same breath', () => {
  const apart = {
    ...sentence('paper-cup/no-paper', 'prohibition', '신문지나 상자 같은 종이류에 섞지 마세요.'),
    asked: true as const,
  };
  const cup: Context = {
    ...context,
    item_id: 'paper-cup',
    item_name: '종이컵',
    outcome: { waste_category: 'recyclable', subcategory: '종이류', rule_id: null },
    sentences: [apart],
  };
  const { answer } = guide({ context: cup, question: '종이류랑 같이 섞어서 버려도 되나요?' });
  expect(answer.startsWith(apart.text)).toBe(true);
  expect(answer).not.toContain('종이류로 분리배출');
});
