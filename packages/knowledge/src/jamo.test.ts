import { expect, test } from '@jest/globals';
import { closest, collectSpellings, fold, isOneSlip, jamo } from './jamo.ts';

test.each([
  ['케이크', '캐이크'],
  ['쥬스', '주스'],
  ['쵸콜릿', '초콜릿'],
  ['쇼핑백', '쇼핑벡'],
  ['왠지', '웬지'],
])('%s and %s are one spelling', (one, other) => {
  expect(fold(one)).toBe(fold(other));
});

test.each([
  ['유리', '우리'],
  ['뼈', '벼'],
  ['꿀', '굴'],
])('%s and %s stay two words', (one, other) => {
  expect(fold(one)).not.toBe(fold(other));
});

test.each([
  ['스티로폼', '스치로폼', true],
  ['형광등', '형광들', true],
  ['플라스틱', '프라스틱', true],
  ['receipt', 'reciept', true],
  ['styrofoam', 'styrofom', true],
  ['형광등', '형광펜', false],
  ['bottle', 'battle-', false],
])('%s and %s are one slip apart: %s', (one, other, expected) => {
  expect(isOneSlip(jamo(one), jamo(other))).toBe(expected);
});

test('a word is found in spite of a slip at its beginning or at its end', () => {
  const words = collectSpellings(['플라스틱', 'mattress']);
  expect(closest(words, '블라스틱')).toBe('플라스틱');
  expect(closest(words, '플라스팅')).toBe('플라스틱');
  expect(closest(words, 'nattress')).toBeUndefined();
  expect(closest(words, 'mattres')).toBe('mattress');
});

test('a short word, which has neighbours that are words themselves, is never mended', () => {
  const words = collectSpellings(['유리병', 'can']);
  expect(closest(words, '우리병')).toBeUndefined();
  expect(closest(words, 'cap')).toBeUndefined();
});
