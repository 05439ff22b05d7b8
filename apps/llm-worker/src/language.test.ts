import { expect, test } from '@jest/globals';
import { isPolite, isWrittenIn } from './language.ts';
import { withParticle } from './particles.ts';
import { sentencesOf } from './sentences.ts';

test.each([
  ['ko', '종량제봉투에 넣으세요.', true],
  ['ko', 'PET와 LED 전구는 따로 모아 주세요.', true],
  ['ko', 'Put it into the garbage bag.', false],
  ['ko', '普通ゴミとして捨ててください。', false],
  ['en', 'Put it into the garbage bag (종량제봉투).', true],
  ['en', '종량제봉투에 넣으세요.', false],
  ['en', 'Jetez ceci dans la poubelle ordinaire de votre commune.', false],
  ['en', 'Rinse it.', true],
  ['en', 'Wipe off leftover ice cream.', true],
  ['en', 'OK', true],
] as const)('in %s "%s" is written: %s', (locale, text, expected) => {
  expect(isWrittenIn(locale, text)).toBe(expected);
});

test.each([
  ['종량제봉투에 넣으세요.', true],
  ['네, 헹궈 주세요. (캔은 눌러도 돼요)', true],
  ['재활용되지 않습니다.', true],
  ['헹궈 주세요.(가볍게)', true],
  ['배출 구분: 금속캔. 헹궈서 내놓으면 돼요!', true],
  ['종량제봉투에 넣는다.', false],
  ['헹궈서 버려. 라벨도 떼세요.', false],
  ['그건 종이가 아니야.', false],
  ['금속캔', false],
] as const)('"%s" is polite: %s', (text, expected) => {
  expect(isPolite(text)).toBe(expected);
});

test.each([
  ['One. Two! Three?', 3],
  ['It weighs 1.5 kg. Ask.', 2],
  ['Rinse cans, jars, etc. before you put them out.', 1],
  ['1. Rinse it.', 1],
  ['헹구세요. 누르세요.\n내놓으세요.', 3],
  ['“그대로 두세요.” 그러면 돼요.', 2],
  ['  ', 0],
] as const)('"%s" has %d sentences', (text, count) => {
  expect(sentencesOf(text)).toHaveLength(count);
});

test.each([
  ['영수증', '은/는', '영수증은'],
  ['피자 상자', '은/는', '피자 상자는'],
  ['금속캔', '으로/로', '금속캔으로'],
  ['비닐', '으로/로', '비닐로'],
  ['비닐', '은/는', '비닐은'],
  ['쓰레기 (종량제)', '으로/로', '쓰레기 (종량제)로'],
  ['CD', '이라면/라면', 'CD이라면(라면)'],
] as const)('%s takes %s as %s', (word, particle, expected) => {
  expect(withParticle(word, particle)).toBe(expected);
});
