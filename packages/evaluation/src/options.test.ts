import { expect, test } from '@jest/globals';
import { readOptions, UsageError } from './options.ts';

test('without options the rules alone are asked, with the newest prompt known for models', () => {
  expect(readOptions([])).toMatchObject({ engine: 'rules', files: [], limit: Infinity, tokenBudget: 800 });
  expect(readOptions(['--engine', 'openai', '--prompt', '1', '--compare', '2']).versions).toEqual(['1', '2']);
});

test.each([
  [['--engine', 'oracle'], /--engine must be one of rules/],
  [['--locale', 'fr'], /--locale must be one of ko, en/],
  [['--limit', 'many'], /--limit must be a whole number/],
  [['--limit', '2.5'], /--limit must be a whole number/],
  [['--concurrency', 'Infinity'], /--concurrency must be a whole number/],
  [['--min-category', ''], /--min-category must be a share/],
  [['--min-category', '95'], /--min-category must be a share/],
  [['--engine', 'openai', '--photos', 'x', '--tag', 'trap'], /--photos takes all/],
  [['--concurrency', '0'], /--concurrency must be a whole number of at least 1/],
  [['--prompt', '1'], /give --engine openai/],
  [['--engine', 'simulator', '--photos', 'x'], /needs an engine that sees/],
  [['--engine', 'openai', '--compare', '99'], /there is no prompt 99/],
  [['--frobnicate'], /frobnicate/],
])('%j is refused, saying why', (args, words) => {
  expect(() => readOptions(args)).toThrow(UsageError);
  expect(() => readOptions(args)).toThrow(words);
});
