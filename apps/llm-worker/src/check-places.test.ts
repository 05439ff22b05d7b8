import { expect, test } from '@jest/globals';
import type { ContextSentence } from '@bunri/queue-contracts';
import { wrongPlaces, type PlaceSources } from './check-places.ts';

const rule = (kind: ContextSentence['kind'], text: string): ContextSentence => ({
  rule_id: `item/${text}`,
  version: '2023',
  kind,
  text,
});

const general = { waste_category: 'general', subcategory: '일반종량제' } as const;
const receipt: PlaceSources = {
  sentences: [
    rule('step', '종량제봉투에 넣으세요.'),
    rule('prohibition', '약품이 발린 감열지이므로 종이류로 내놓지 마세요.'),
    rule('confusion', '복사지에 인쇄한 명세서는 종이류로 내놓습니다.'),
  ],
  outcome: { ...general, rule_id: null },
  usual: general,
  itemName: '영수증',
  question: '영수증 종이로 버려도 돼요?',
};
const inEnglish: PlaceSources = {
  ...receipt,
  sentences: [
    rule('step', 'Put it into the standard garbage bag.'),
    rule('prohibition', 'It is thermal paper, so it is not paper recycling.'),
    rule('confusion', 'Statements printed on copy paper go with paper recycling.'),
  ],
  itemName: 'Receipt',
  question: 'Can I put a receipt with paper?',
};
const bottle: PlaceSources = {
  sentences: [
    rule('step', '비닐 라벨을 떼어 비닐류로 따로 내놓으세요.'),
    rule('step', '투명 페트병 전용 수거함에 넣으세요.'),
    rule('exception', '몸통에 글자가 인쇄된 병은 플라스틱류로 내놓으세요.'),
  ],
  outcome: { waste_category: 'recyclable', subcategory: '무색페트병', rule_id: null },
  usual: { waste_category: 'recyclable', subcategory: '무색페트병' },
  itemName: '투명 페트병',
  question: '라벨 떼야 돼요?',
};
const brokenLamp: PlaceSources = {
  sentences: [rule('condition', '깨졌으면 조각을 싸서 종량제봉투에 넣으세요.')],
  outcome: { ...general, rule_id: 'fluorescent-lamp/broken' },
  usual: { waste_category: 'recyclable', subcategory: '조명제품' },
  itemName: '형광등',
  question: '깨졌는데요',
};

test.each([
  ['where another thing goes', '영수증은 종이류로 내놓으시면 돼요.', receipt],
  ['the same in other words', '종이 수거함에 넣어 주세요.', receipt],
  ['where another thing goes, in English', 'It goes with paper recycling.', inEnglish],
  ['that a part must not go where it goes', '비닐류로 내놓지 마세요.', bottle],
  ['yes to a place that no rule names', '네, 가능해요.', receipt],
  ['yes to it in English', 'Yes, you can.', inEnglish],
] as const)('%s is found', (_, answer, sources) => {
  expect(wrongPlaces([answer], sources)).toHaveLength(1);
});

test.each([
  ['where another thing goes, of that thing', '복사지 명세서는 종이류로 내놓을 수 있어요.', receipt],
  ['the same in English', 'A printed statement can go with paper recycling.', inEnglish],
  ['no to the place that was asked for', '아니요, 종이류로 내놓지 마세요.', receipt],
  ['that it does not go where only an exception sends it', '플라스틱류에 섞지 말고 따로 모아 주세요.', bottle],
  ['that it does not go to its usual place in its condition', '형광등 수거함에 넣지 마세요.', brokenLamp],
  ['yes to what is no place', '네, 떼어 주세요.', bottle],
  ['yes where some part goes there', '네, 떼어 비닐류로 내놓으세요.', { ...bottle, question: '라벨은 비닐류인가요?' }],
] as const)('%s may be said', (_, answer, sources) => {
  expect(wrongPlaces([answer], sources)).toEqual([]);
});
