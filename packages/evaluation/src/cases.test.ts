import { expect, test } from '@jest/globals';
import { itemById } from '@bunri/knowledge';
import { CaseFileError, parseCases, readCases } from './cases.ts';

const line = (over: object) => JSON.stringify({ id: 'a', question: '?', expect: { category: 'general' }, ...over });

test('a case without a photo stands for one that shows nothing', () => {
  const [only] = parseCases(line({}), 'x');
  expect(only).toMatchObject({
    locale: 'ko',
    classification: { item_id: null, item_name: '', confidence: 0, condition: { cap: 'unknown' } },
    expect: { destinations: [{ category: 'general' }], rules: [] },
  });
});

test('an item that vision saw stands for its name and its bin', () => {
  const item = itemById('milk-carton');
  const [only] = parseCases(line({ vision: { item_id: 'milk-carton', condition: { rinsed: 'no' } } }), 'x');
  expect(only?.classification).toMatchObject({
    waste_category: item?.wasteCategory,
    subcategory: item?.subcategory,
    item_name: item?.names.ko,
    confidence: 0.9,
    condition: { rinsed: 'no', label: 'unknown' },
  });
});

test.each([
  ['general', { category: 'general' }],
  ['일반종량제', { category: 'general' }],
  ['Food waste', { category: 'food' }],
  ['paper-pack', { category: 'recyclable', streams: [itemById('milk-carton')?.subcategory] }],
  ['metal', { category: 'recyclable', streams: ['금속캔', '고철'] }],
  ['무색페트병', { category: 'recyclable', streams: ['무색페트병'] }],
])('%s is a destination', (category, destination) => {
  expect(parseCases(line({ expect: { category } }), 'x')[0]?.expect.destinations).toEqual([destination]);
});

test('every wrong line is named, with what is wrong', () => {
  const text = [
    line({}),
    line({}),
    '{',
    line({ id: 'b', expect: { category: 'the sea' } }),
    line({ id: 'c', expect: { rules: ['no/rule'] } }),
    line({ id: 'd', vision: { item_id: 'moon-rock' } }),
    line({ id: 'e', expcet: {} }),
    line({ id: 'f', expect: {} }),
  ].join('\n');
  const problems = () => parseCases(text, 'cases.jsonl');
  expect(problems).toThrow(CaseFileError);
  for (const words of [
    /cases.jsonl:2: the id a stands in an earlier line/,
    /cases.jsonl:3: /,
    /cases.jsonl:4: there is no bin or stream "the sea"/,
    /cases.jsonl:5: the catalogue has no rule no\/rule/,
    /cases.jsonl:6: the catalogue has no item moon-rock/,
    /cases.jsonl:7: .*expcet/,
    /cases.jsonl:8: it expects nothing/,
  ]) {
    expect(problems).toThrow(words);
  }
  expect(() => parseCases('\n', 'empty.jsonl')).toThrow('empty.jsonl: holds no case');
});

test('forbidden words are found in any spacing and case, and patterns as they stand', () => {
  const [only] = parseCases(line({ forbidden: ['종이류로 내놓', 'Paper bin', '/회수.*보증금/'] }), 'x');
  const finds = (text: string) => only?.forbidden.some((pattern) => pattern.test(text));
  expect(
    ['종이류로내놓으세요', '종이 류로 내 놓으세요', '종이류로  내놓으세요', 'the paper bin', '회수하면 보증금'].map(
      finds,
    ),
  ).toEqual([true, true, true, true, true]);
  expect(finds('종이류가 아닙니다')).toBe(false);
});

test('what would make a forbidden statement unfindable is an error', () => {
  expect(() => parseCases(line({ forbidden: ['/종이류/i'] }), 'x')).toThrow(/x:1: .*has no flags/);
  expect(() => parseCases(line({ forbidden: ['/(/'] }), 'x')).toThrow(/x:1: /);
});

test('a byte order mark, line ends of Windows and decomposed letters do no harm', () => {
  const text = `\uFEFF${line({ forbidden: ['종이'.normalize('NFD')], expect: { category: '종이팩'.normalize('NFD') } })}\r\n\r\n`;
  const [only] = parseCases(text, 'x');
  expect(only?.expect.destinations).toHaveLength(1);
  expect(only?.forbidden[0]?.test('종이')).toBe(true);
});

test('a file that is not there is named', () => {
  expect(() => readCases('/nowhere/mine.jsonl')).toThrow(CaseFileError);
});
