import { expect, test } from '@jest/globals';
import { allStems, bigrams, compact, nounForms, normalise, stem } from './words.ts';

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

test('stems are of Latin words and numbers only', () => {
  expect(allStems('LED전구 2 Boxes')).toEqual(['led', '2', 'box']);
});

test('decomposed Hangul, as file names of a Mac have it, is read as composed', () => {
  expect(normalise('우유팩'.normalize('NFD'))).toBe('우유팩');
});

test('spacing, case and marks make no other name', () => {
  expect(compact('CD·비디오 테이프')).toBe(compact('cd비디오테이프'));
});

test('a word of one syllable is its own token', () => {
  expect(bigrams('약')).toEqual(['약']);
  expect(bigrams('우유팩')).toEqual(['우유', '유팩']);
});

test.each([
  ['약은', '약'],
  ['우유팩에서는', '우유팩'],
  ['영수증인가오', '영수증'],
  ['종이', '종이'],
])('%s is read as %s', (word, noun) => {
  expect(nounForms(word)).toContain(noun);
});
