import { expect, test } from '@jest/globals';
import { paymentCounters, stageCounters } from './statistics.ts';

const usage = { input_tokens: 10, output_tokens: 2, cost_usd: 0.5 };

test('a result counts its duration class, and leaves what was paid for it to the moment of payment', () => {
  expect(stageCounters('llm', { output: { usage }, durationMs: 1_234, cached: false })).toEqual({
    'duration:llm:1500': 1,
  });
});

test('a payment counts tokens and cost, the cost in billionths of a dollar', () => {
  expect(paymentCounters('llm', usage)).toEqual({
    'tokens:llm:input': 10,
    'tokens:llm:output': 2,
    'nanousd:llm': 500_000_000,
  });
});

test('a cached result counts as such', () => {
  const output = { usage, classification: { waste_category: 'general' } };
  expect(stageCounters('vision', { output, durationMs: 3, cached: true })).toEqual({
    'cached:vision': 1,
    'category:general': 1,
  });
});

test('a duration beyond the last class is still counted', () => {
  expect(stageCounters('rag', { output: {}, durationMs: 99_999, cached: false })).toEqual({ 'duration:rag:more': 1 });
});
