import { expect, test } from '@jest/globals';
import type { Context, ContextSentence, Guidance } from '@bunri/queue-contracts';
import { checkGuidance, type CheckedTask } from './check-guidance.ts';
import { prompts } from './prompt.ts';

const { instructions } = prompts['2'];
const sentence = (rule_id: string, text: string): ContextSentence => ({ rule_id, version: '2023', kind: 'step', text });

const context: Context = {
  item_id: 'receipt',
  item_name: 'A4 영수증',
  match: 'id',
  candidates: [],
  outcome: { waste_category: 'general', subcategory: '일반종량제', rule_id: null },
  sentences: [
    sentence('receipt/bag', '종량제봉투에 넣으세요.'),
    sentence('receipt/thermal', '감열지이므로 종이류로 내놓지 마세요.'),
    sentence('receipt/many', '1,000장이 넘으면 지자체(1599-0903)에 물어보세요.'),
  ],
  catalogue_version: 'v1',
  tokens: 40,
};
const task: CheckedTask = {
  question: '이거 비닐로 버려도 돼요? 2장이에요.',
  locale: 'ko',
  classification: { waste_category: 'recyclable', subcategory: '종이류' },
  context,
};
const english: CheckedTask = {
  ...task,
  locale: 'en',
  question: 'Can I put it with plastics?',
  context: {
    ...context,
    item_name: 'Receipt',
    sentences: [
      sentence('receipt/bag', 'Put it into the standard garbage bag.'),
      sentence('receipt/thermal', 'It is thermal paper: keep it out of paper recycling.'),
    ],
  },
};

const fine: Guidance = {
  answer: '영수증은 종량제봉투에 넣어 주세요.',
  steps: [{ text: '종량제봉투에 넣으세요.', rule_ids: ['receipt/bag'] }],
  missing: [],
  warnings: [],
  sources: [],
};
const fineInEnglish: Guidance = {
  ...fine,
  answer: 'Put it into the garbage bag.',
  steps: [{ text: 'Put it into the garbage bag.', rule_ids: ['receipt/bag'] }],
};
const codesOf = (over: Partial<Guidance>, given: CheckedTask = task) =>
  checkGuidance({ ...(given.locale === 'en' ? fineInEnglish : fine), ...over }, given, instructions).map(
    ({ code }) => code,
  );
const step = (text: string) => ({ steps: [{ text, rule_ids: ['receipt/bag'] }] });

test('what the rules say passes, in both languages', () => {
  expect(codesOf({})).toEqual([]);
  expect(codesOf({}, english)).toEqual([]);
});

test.each([
  ['an answer of three sentences', { answer: '아니요. 종량제봉투에 넣으세요. 물어보셔도 돼요.' }],
  ['that it must not go where a rule forbids it', { answer: '종이로 버리면 안 돼요.' }],
  ['that it must not go where the question would put it', { answer: '비닐류로 버리면 안 돼요.' }],
  ['that it is not recycled', { answer: '재활용품으로 내놓을 수 없어요.' }],
  ['the outcome in other words', { answer: '일반 쓰레기로 버리시면 돼요.' }],
  [
    'numbers of the rules, the question and the name',
    { answer: 'A4 크기 2장은 괜찮고, 1000장이 넘으면 1599-0903에 물어보세요.' },
  ],
  ['materials that are no place', step('비닐 봉지에서 꺼내 종이로 싸세요.')],
  ['the numbers of a list', { answer: '1) 꺼내고 2) 종량제봉투에 넣으세요.' }],
  ['two questions back', { missing: ['몇 장인가요?', '젖었나요?'] }],
] as const)('%s may be said', (_, over) => {
  expect(codesOf(over as Partial<Guidance>)).toEqual([]);
});

test.each([
  ['nothing', { answer: '' }, 'no_answer'],
  ['four sentences', { answer: '아니요. 안 돼요. 그래요. 종량제봉투에 넣으세요.' }, 'long_answer'],
  ['no step', { steps: [] }, 'no_steps'],
  ['nine steps', { steps: Array.from({ length: 9 }, () => step('종량제봉투에 넣으세요.').steps[0]) }, 'many_steps'],
  ['three questions', { missing: ['젖었나요?', '큰가요?', '많나요?'] }, 'many_questions'],
  ['English', { answer: 'Put it into the garbage bag.' }, 'language'],
  ['English steps', step('Put it into the bag of your town.'), 'language'],
  ['plain Korean', { answer: '종량제봉투에 넣는다.' }, 'language'],
  ['a number of its own', { answer: '3일 안에 종량제봉투에 넣으세요.' }, 'number'],
  ['a number of its own in a warning', { warnings: ['50도가 넘으면 위험해요.'] }, 'number'],
  ['a bin of its own', { answer: '플라스틱류로 내놓으세요.' }, 'place'],
  ['a bin of its own in a step', step('불연성 마대에 담으세요.'), 'place'],
  ['the bin that a rule forbids', { answer: '종이류로 내놓으세요.' }, 'place'],
  ['that it must not go where it goes', { answer: '종량제봉투에 넣으면 안 돼요.' }, 'place'],
  ['a prohibition of its own', { answer: '캔류로 내놓지 마세요.' }, 'place'],
  ['a rule id', { answer: '종량제봉투에 넣으세요 (receipt/bag).' }, 'leak'],
  ['a field name', { warnings: ['rule_ids를 확인하세요.'] }, 'leak'],
  ['a fence', { missing: ['<question>이 무엇인가요?'] }, 'leak'],
  ['a link', { answer: '종량제봉투에 넣고 자세한 것은 https://a.kr 에서 확인하세요.' }, 'link'],
  ['a link without a scheme', { answer: '종량제봉투에 넣고 evil.com에서 확인하세요.' }, 'link'],
] as const)('%s is found', (_, over, code) => {
  expect(codesOf(over as Partial<Guidance>)).toEqual([code]);
});

test.each([
  ['plastics for a receipt', { answer: 'Put it out with plastics.' }, 'place'],
  ['a bin for glass', step('Use the glass bin.'), 'place'],
  ['French', { answer: 'Jetez le ticket dans le sac poubelle de votre ville.' }, 'language'],
  ['Korean', { answer: '종량제봉투에 넣으세요.' }, 'language'],
  ['its instructions', { answer: 'The rules are all that you know about disposal.' }, 'leak'],
] as const)('in English %s is found', (_, over, code) => {
  expect(codesOf(over as Partial<Guidance>, english)).toEqual([code]);
});

test('a link that a rule gives may be said, whatever stands behind it', () => {
  const linked = [...context.sentences, sentence('receipt/web', '지자체 누리집(www.seoul.go.kr)에 물어보세요.')];
  const given = { ...task, context: { ...context, sentences: linked } };
  expect(codesOf({ answer: '종량제봉투에 넣고 자세한 것은 www.seoul.go.kr에서 확인하세요.' }, given)).toEqual([]);
});

test('the question may be told no by its own words', () => {
  expect(codesOf({ answer: 'No, do not put it out with plastics.' }, english)).toEqual([]);
});

test('an item name that nobody knows is no source of numbers, as it may be read off the photo', () => {
  const unknown = { ...task, context: { ...context, item_id: null, item_name: '1588-7777로 전화하세요' } };
  expect(codesOf({ answer: '1588-7777로 전화하세요.' }, unknown)).toEqual(['number', 'number']);
});

test('what a text stands for is told to the model without its tags', () => {
  const [problem] = checkGuidance({ ...fine, answer: '7일 안에 종량제봉투에 넣으세요.' }, task, instructions);
  expect(problem?.said).toBe('The number 7 stands neither in the rules nor in the question.');
});

test('where nothing is known of the thing, no place may be named as the one where it goes', () => {
  const { outcome: _, ...rest } = context;
  const ask = sentence('any/ask', '품목을 확실히 알 수 없으니, 버리기 전에 지자체에 확인하세요.');
  const unknown = { ...task, context: { ...rest, item_id: null, item_name: '', sentences: [ask] } };
  const steps = [{ text: ask.text, rule_ids: [ask.rule_id] }];
  expect(codesOf({ steps, answer: '종이류로 내놓으시면 돼요.' }, unknown)).toEqual(['place']);
  expect(codesOf({ steps, answer: '무엇인지 아직 알 수 없어요.' }, unknown)).toEqual([]);
});
