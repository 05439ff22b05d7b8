import { expect, test } from '@jest/globals';
import type { Context, Guidance } from '@bunri/queue-contracts';
import { parseCases } from './cases.ts';
import { judge, type Answer } from './judge.ts';
import { jsonReport, textReport } from './report.ts';
import { ratio, score, scoresByPart } from './score.ts';

const context: Context = {
  item_id: 'milk-carton',
  item_name: '우유팩',
  match: 'search',
  candidates: [],
  sentences: [],
  catalogue_version: 'v',
  tokens: 0,
};
const guidance: Guidance = {
  answer: '종이팩 수거함에 넣으세요.',
  steps: [{ text: '헹구세요.', rule_ids: ['milk-carton/a'] }],
  missing: [],
  warnings: ['종이류로 내놓지 마세요.'],
  sources: [
    { rule_id: 'milk-carton/a', version: '1' },
    { rule_id: 'receipt/b', version: '1' },
  ],
  outcome: { waste_category: 'recyclable', subcategory: '종이팩', rule_id: null },
};
const answer: Answer = {
  context,
  guidance,
  usage: { input_tokens: 10, output_tokens: 5, cost_usd: 0.25 },
  ragMs: 1,
  llmMs: 2,
  degraded: null,
};
const verdictOf = (over: object, given: Answer = answer) => {
  const [only] = parseCases(JSON.stringify({ id: 'a', question: '?', tags: ['trap'], expect: {}, ...over }), 'x');
  if (!only) throw new Error('no case');
  return judge(only, given);
};

test('a whole bin is right for each of its streams, a stream for itself alone', () => {
  expect(verdictOf({ expect: { category: 'recyclable' } }).categoryRight).toBe(true);
  expect(verdictOf({ expect: { category: ['general', 'paper-pack'] } }).categoryRight).toBe(true);
  expect(verdictOf({ expect: { category: 'paper' } }).categoryRight).toBe(false);
  expect(verdictOf({ expect: { item_id: 'receipt' } })).toMatchObject({ categoryRight: null, itemRight: false });
});

test('whether it should have asked back is judged where the case says so', () => {
  const asking = { ...answer, context: { ...context, clarification: { question: '?', options: [] } } };
  expect(verdictOf({ expect: { clarification: true } }).clarificationRight).toBe(false);
  expect(verdictOf({ expect: { clarification: true } }, asking).clarificationRight).toBe(true);
  expect(verdictOf({ expect: { category: 'general' } }, asking)).toMatchObject({
    clarificationRight: null,
    asked: true,
  });
});

test('a cited rule counts for precision where it speaks of the expected item', () => {
  expect(verdictOf({ expect: { item_id: 'milk-carton' } })).toMatchObject({ cited: 2, citedRightly: 1 });
});

test('forbidden words are found in answer, steps and warnings', () => {
  expect(verdictOf({ forbidden: ['종이팩 수거함'] }).forbidden).toEqual(['종이팩 수거함']);
  expect(verdictOf({ forbidden: ['종이류로 내놓지'] }).forbidden).toEqual(['종이류로 내놓지']);
  expect(verdictOf({ forbidden: ['유리병'] }).forbidden).toEqual([]);
});

test('a score sums up, by tag and language too, and the reports name what went wrong', () => {
  const right = { verdict: { ...verdictOf({ expect: { category: 'paper-pack' } }), id: 'right' }, answer };
  const wrong = {
    verdict: { ...verdictOf({ expect: { category: 'paper' }, forbidden: ['헹구'] }), id: 'wrong' },
    answer,
  };
  const all = score([right, wrong]);
  expect(all).toMatchObject({
    cases: 2,
    category: { right: 1, of: 2 },
    forbidden: 1,
    tokens: { input: 20, output: 10 },
    costUsd: 0.5,
    ragMs: { p50: 1, p99: 1 },
  });
  expect(ratio(all.item)).toBeNull();
  const asked = { ...wrong, verdict: { ...wrong.verdict, asked: true } };
  expect(score([right, asked])).toMatchObject({ category: { right: 1, of: 2 }, categoryUnasked: { right: 1, of: 1 } });
  expect([...scoresByPart([right, wrong]).keys()]).toEqual(['ko', 'trap']);
  const run = { name: 'rules', judged: [right, wrong], score: all };
  const better = {
    name: 'other',
    judged: [right, { ...right, verdict: { ...right.verdict, id: 'wrong' } }],
    score: all,
  };
  expect(textReport([run])).toContain('wrong: sent to recyclable (종이팩)');
  expect(textReport([run])).toContain('wrong: said "헹구"');
  expect(textReport([run, better])).toContain('+ wrong: ');
  expect(JSON.stringify(jsonReport([run]))).toContain('"id":"wrong"');
  expect(textReport([run], { right: 3, of: 4 })).toContain('material right: 75.0 % (3 of 4)');
});
