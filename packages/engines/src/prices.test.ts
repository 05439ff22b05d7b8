import { expect, test } from '@jest/globals';
import { assertPriced, costUsd, defaultPrices, expectedTokens, pricesSchema } from './prices.ts';

const million = { input: 1_000_000, cachedInput: 0, output: 0 };

test.each([
  ['gpt-5', million, 1.25],
  ['gpt-5', { input: 1_000_000, cachedInput: 1_000_000, output: 0 }, 0.125],
  ['gpt-5', { input: 0, cachedInput: 0, output: 1_000_000 }, 10],
  ['gpt-5-2025-08-07', million, 1.25],
  ['gpt-4o-mini', { input: 2_000, cachedInput: 1_000, output: 500 }, 0.000525],
  ['simulator/gpt-5', million, 0],
])('%s with %j costs %d dollars', (model, tokens, usd) => {
  expect(costUsd(defaultPrices, model, tokens)).toBeCloseTo(usd, 10);
});

test('a model without a price is an error that names the setting, at start and at use', () => {
  for (const model of ['gpt-6', 'constructor', 'gpt-5-nano']) {
    expect(() => assertPriced(defaultPrices, model)).toThrow(/no price.*MODEL_PRICES/);
    expect(() => costUsd(defaultPrices, model, million)).toThrow(/no price.*MODEL_PRICES/);
  }
  for (const model of ['gpt-5', 'gpt-5-2025-08-07', 'simulator/anything']) {
    expect(() => assertPriced(defaultPrices, model)).not.toThrow();
  }
});

test('a table with a misspelt or negative price is refused', () => {
  expect(pricesSchema.safeParse({ own: { input: 1, cachedInput: 1, output: 1 } }).success).toBe(true);
  expect(pricesSchema.safeParse({ own: { input: 1, cached: 1, output: 1 } }).success).toBe(false);
  expect(pricesSchema.safeParse({ own: { input: -1, cachedInput: 1, output: 1 } }).success).toBe(false);
});

test('about what a call will use is known before it is made', () => {
  const text = 'How do I throw this away?';
  const english = expectedTokens({ instructions: 'x'.repeat(4_000), text });
  expect(english.input).toBeGreaterThan(1_000);
  expect(english.input).toBeLessThan(1_010);
  // A Korean character counts for more than twice an English one, a photo for about a thousand tokens.
  expect(expectedTokens({ instructions: '가'.repeat(4_000), text }).input).toBeGreaterThan(2_500);
  const image = { bytes: new Uint8Array(10), mediaType: 'image/jpeg' };
  expect(expectedTokens({ instructions: '', text, image }).input).toBeGreaterThan(1_000);
  expect(expectedTokens({ instructions: '', text, maxOutputTokens: 50 })).toMatchObject({ output: 50, mostOutput: 50 });
});

test('the most that a call may cost goes by what it allows, not by what is usual', () => {
  const { output, mostOutput } = expectedTokens({ instructions: '', text: '', maxOutputTokens: 4_000 });
  expect([output, mostOutput]).toEqual([500, 4_000]);
});
