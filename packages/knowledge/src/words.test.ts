import { expect, test } from '@jest/globals';
import { latinStems, nameTokens, normalise, queryTokens, stem } from './words.ts';

test.each([
  ['bottles', 'bottle'],
  ['batteries', 'battery'],
  ['boxes', 'box'],
  ['dishes', 'dish'],
  ['glasses', 'glass'],
  ['cases', 'case'],
  ['glass', 'glass'],
  ['gas', 'gas'],
  ['cans', 'can'],
])('%s and %s are one word', (plural, singular) => {
  expect(stem(plural)).toBe(stem(singular));
});

test('"can" is a thing, unless it is a verb', () => {
  expect(latinStems('How can I throw away this can?')).toEqual(['can']);
  expect(latinStems('Where can the bottle go')).toEqual(['bottle']);
});

test('decomposed Hangul, as file names of a Mac have it, is read as composed', () => {
  expect(normalise('우유팩'.normalize('NFD'))).toBe('우유팩');
});

test('a name of one syllable is its own token', () => {
  expect(nameTokens('약')).toEqual(['약']);
  expect([...queryTokens('약은 어디에').variants]).toEqual(['약']);
});

test('a bigram across a space is kept apart from those within words', () => {
  const { words, across } = queryTokens('우유 팩');
  expect([...words]).toEqual(['우유']);
  expect([...across]).toEqual(['유팩']);
});
