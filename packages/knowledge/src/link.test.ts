import { describe, expect, test } from '@jest/globals';
import { catalogue } from './catalogue.ts';
import { link } from './link.ts';
import { findMentions } from './mentions.ts';
import { buildIndex } from './search-index.ts';

const index = buildIndex(catalogue);

/** The ids of what the question is about, likeliest first. */
function about(question: string): string[] {
  const { things } = link(index, question) ?? { things: new Map() };
  return [...things].toSorted(([, a], [, b]) => b - a).map(([{ id }]) => id);
}

/** Each name, by its likeliest item, with what it does. */
function read(question: string): string[] {
  const runs = index.readRuns(question);
  const mentions = findMentions(index, runs);
  return index.readRoles(runs, mentions).map((role, at) => `${mentions[at]?.named[0]?.item.id} ${role}`);
}

describe('of several names in a question, the thing is', () => {
  test.each([
    ['the longest name', '카드 영수증은 종이로 버리면 되나요?', 'receipt'],
    ['what is described, not what describes it', '담배꽁초 든 생수병', 'clear-pet-bottle'],
    ['what a clause describes', '치킨 먹고 남은 뼈는요', 'bones'],
    ['not what lies in it', '생수병 안에 담배꽁초가 들었는데 안 빠져요', 'clear-pet-bottle'],
    ['not what is left in it', '배달 용기 빨간 국물이 안 빠져요', 'delivery-container'],
    ['what is left, where that is the thing', '튀김하고 남은 기름 싱크대에 부어도 돼요?', 'used-cooking-oil'],
    ['not what it is put with', '종이컵 신문지랑 같이 묶어서 버려도 되나요?', 'paper-cup'],
    ['not what is used for it', '형광등 깼는데 청소기로 빨아들여도 돼요?', 'fluorescent-lamp'],
    ['not what it is put into', '담배꽁초 종이컵에 넣어서 버려도 되나요', 'cigarette-butt'],
    ['not the part of it that is handled', '세탁기 스티커 사서 붙여야 하나요', 'washing-machine'],
    ['not a label that is taken off', '투명 생수병 라벨 안 떼고 버려도 되나요?', 'clear-pet-bottle'],
    ['not what is said of it', '충전기 선도 철사니까 고철로 내놓으면 되나요', 'charger-cable'],
    ['not what it is made of', '텀블러 스텐', 'tumbler'],
    ['not the stream that is asked about', '우산 고철?', 'umbrella'],
    ['a stream that goes into another bin', '리모컨에서 뺀 건전지 종량제에 넣어도 되죠?', 'dry-battery'],
    ['not a counter', '건전지 한 통', 'dry-battery'],
    [
      'found in a long story',
      '작년에 이사 오면서 샀는데 이제 안 쓰는 세탁기를 어떻게 처분해야 할까요',
      'washing-machine',
    ],
    ['named in spite of a slip', '심문지에 강아지가 오줌 쌌는데 내놔도 되죠', 'newspaper'],
    ['not what stands behind a preposition', 'gift wrap with glitter and foil on it', 'wrapping-paper'],
    ['the last word of an English name', 'beer bottle cap', 'bottle-crown'],
    ['not an English stream at the end', 'white ceramic plate - glass recycling?', 'ceramic-dish'],
    ['not a verb', 'can i just leave my old couch on the street', 'sofa'],
    ['told last, where a story leads to it', '바지락 칼국수 해먹고 조개껍데기가 나왔는데', 'shells'],
    ['told first, where the clause is about it', '소파 버리려고 하는데 리모컨이 안 보여요', 'sofa'],
    ['the topic of the question itself', '샴푸통에 스프링 있던데 펌프는 어떻게 버려요', 'pump-head'],
    ['not where it comes from', '택배박스에서 뗀 송장 스티커는 어디에 버려요', 'thermal-label'],
    ['described from afar', '다육이 심었던 갈색 플라스틱 화분', 'plastic-pot'],
    ['not a place where such things are collected', '백열전구 나갔는데 형광등 모으는 통에 넣나요', 'incandescent-bulb'],
    ['what is named again more clearly', '박스가 매일 나와요 테이프 붙은 택배상자', 'cardboard-box'],
    ['not of what the stain on it is', '김치 국물 잔뜩 밴 비닐봉지', 'plastic-bag'],
    ['what is left in a holder', 'half a bottle of garden pesticide left', 'pesticide'],
    ['what lies in a heap', 'a box of old magazines', 'magazine'],
    ['told last in an English story', 'We had crab last night, are the bones food waste?', 'bones'],
    ['glasses, which are no glass', 'old glasses, frame is bent', 'sunglasses-glasses'],
  ])('%s: %s', (_guarantee, question, id) => {
    expect(about(question)[0]).toBe(id);
  });
});

describe('of several items with one name', () => {
  test('those that the question speaks of are likelier', () => {
    expect(about('옷걸이')[0]).toBe('hanger');
    expect(about('철사로 된 옷걸이')[0]).toBe('wire-hanger');
  });

  test('a longer name that the question holds in pieces is meant', () => {
    expect(about('water filled ice pack')[0]).toBe('ice-pack-water');
  });
});

test('what was around a thing without a name is no clear name of it', () => {
  expect(link(index, '과일 씌워져있던 폭신한거')).toMatchObject({ isClear: false, isAside: true });
  expect(link(index, '과일 껍질')).toMatchObject({ isClear: true, isAside: false });
});

test('the end of a longer word is a name, but no clear one', () => {
  expect(link(index, '번쩍장난감')).toMatchObject({ isClear: false });
  expect(about('번쩍장난감')).toEqual(['toy']);
  expect(link(index, '장난감')).toMatchObject({ isClear: true });
});

test.each([
  ['거울 달린 쿠션', ['mirror modifier', 'cushion-pillow thing']],
  ['거울 깨진 거 쿠션', ['mirror thing', 'cushion-pillow thing']],
  ['우유팩이랑 종이컵', ['milk-carton thing', 'paper-cup thing']],
])('%s: %j', (question, expected) => {
  expect(read(question)).toEqual(expected);
});

test.each(['', '이거 뭐예요?', '종이로 버려도 되나요?', '무슨 요일에 내놔요?', 'Which bin?'])(
  '"%s" names nothing',
  (text) => {
    expect(link(index, text)).toBeUndefined();
  },
);

test('a question means the same whatever was asked before it, of whichever index', () => {
  const questions = ['담배꽁초 든 생수병', '거울 깨진 거 쿠션'];
  const fresh = questions.map((question) => link(buildIndex(catalogue), question));
  for (const question of [...questions, ...questions.toReversed()]) {
    expect(link(index, question)).toEqual(fresh[questions.indexOf(question)]);
  }
});
