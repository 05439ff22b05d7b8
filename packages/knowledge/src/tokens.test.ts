import { expect, test } from '@jest/globals';
import { locales } from '@bunri/queue-contracts';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { catalogue } from './catalogue.ts';
import { minTokenBudget } from './context.ts';
import { cataloguePrompt } from './listing.ts';
import { sentenceTokens } from './select.ts';
import { estimateTokens } from './tokens.ts';

const rules = [
  ...catalogue.items.flatMap((item) => item.rules),
  ...catalogue.groups.flatMap((group) => group.rules),
  ...catalogue.recyclableRules,
  ...catalogue.genericRules,
];

test.each(locales)('no sentence in %s takes more tokens than estimated, nor less than half', (locale) => {
  const wrong = rules.filter(({ text }) => {
    const real = countTokens(text[locale]);
    const estimate = estimateTokens(text[locale]);
    return estimate < real || estimate > 2 * real;
  });
  expect(wrong.map(({ id }) => id)).toEqual([]);
});

test.each(locales)('no quoted sentence in %s, rule id and kind included, takes more than estimated', (locale) => {
  const wrong = rules.filter(({ id, kind, version, text }) => {
    const real = countTokens(`[${id}] ${kind}: ${text[locale]}\n`);
    return sentenceTokens({ rule_id: id, version, kind, text: text[locale] }) < real;
  });
  expect(wrong.map(({ id }) => id)).toEqual([]);
});

test('the catalogue prompt takes no more than estimated', () => {
  expect(estimateTokens(cataloguePrompt())).toBeGreaterThanOrEqual(countTokens(cataloguePrompt()));
});

test.each(locales)('the longest sentence in %s fits the smallest budget', (locale) => {
  const longest = Math.max(
    ...rules.map(({ id, version, kind, text }) => sentenceTokens({ rule_id: id, version, kind, text: text[locale] })),
  );
  expect(longest).toBeLessThanOrEqual(minTokenBudget);
});
