import { describe, expect, test } from '@jest/globals';
import type { Condition } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { fillCondition, makeSituationReader, type PartialCondition } from './situations.ts';

const read = makeSituationReader(catalogue.situations);

describe('a state that the question tells', () => {
  test.each<[question: string, condition: PartialCondition]>([
    ['다 씻었어요', { rinsed: 'yes' }],
    ['깨끗이 헹군 우유팩이에요', { rinsed: 'yes' }],
    ['안 씻은 병', { rinsed: 'no' }],
    ['물로 헹구지 않았어요', { rinsed: 'no' }],
    ['I have not washed it', { rinsed: 'no' }],
    ['haven’t rinsed it yet', { rinsed: 'no' }],
    ['It is unrinsed', { rinsed: 'no' }],
    ['기름 묻은 피자 박스', { contamination: 'heavy' }],
    ['기름이 많이 묻었어요', { contamination: 'heavy' }],
    ['곰팡이 핀 종이', { contamination: 'heavy' }],
    ['greasy pizza box', { contamination: 'heavy' }],
    ['기름 안 묻은 상자', { contamination: 'none' }],
    ['기름이 묻지 않은 상자', { contamination: 'none' }],
    ['it is not greasy', { contamination: 'none' }],
    ['기름이 살짝 묻었어요', { contamination: 'light' }],
    ['깨진 컵', { damage: 'broken' }],
    ['바닥이 기름에 쩔었어요', { contamination: 'heavy' }],
    ['아무리 닦아도 안 지워져요', { contamination: 'heavy' }],
    ['누렇게 변했어요', { contamination: 'heavy' }],
    ['sauce all over it', { contamination: 'heavy' }],
    ['먹고 남은 알약판', { contents: 'empty' }],
    ['쓰고 남은 페인트', { contents: 'remaining' }],
    ['반찬통이에요', {}],
    ['액자 유리는 빼고 나무틀만', {}],
    ['금요일에 가지고 나가요', {}],
    ['안 깨졌어요', { damage: 'none' }],
    ['a broken cup', { damage: 'broken' }],
    ['뚜껑을 닫은 채 버려도 되나요?', { cap: 'on' }],
    ['뚜껑 안 닫았어요', { cap: 'off' }],
    ['The cap has been removed', {}],
    ['I removed the cap', { cap: 'off' }],
    ['라벨은 다 뗐어요', { label: 'off' }],
    ['라벨 안 뗐는데요', { label: 'on' }],
    ["the label won't come off", { label: 'on' }],
    ['약이 남아 있어요', { contents: 'remaining' }],
    ['half full', { contents: 'remaining' }],
    ['다 쓴 부탄가스', { contents: 'empty' }],
    ['배터리를 뺐어요', { attachments: 'off' }],
    ['스프링 달린 공책', { attachments: 'on' }],
    ['배터리가 부풀었어요', { hazard: 'present' }],
    ['a swollen battery', { hazard: 'present' }],
    ['종량제봉투에 안 들어가요', { size: 'oversize' }],
    ['It is too big for the bag', { size: 'oversize' }],
    ['100개 있어요', { quantity: 'several' }],
    ['a lot of bottles', { quantity: 'several' }],
    ['20 bottles', { quantity: 'several' }],
    ['two bricks', { quantity: 'several' }],
    ['one old brick', { quantity: 'one' }],
    ['what about this one please', {}],
    ['양념 묻은 것', { contamination: 'heavy' }],
    ['먼지 묻은 것', { contamination: 'light' }],
    ['올 나갔어요', { damage: 'broken' }],
    ['종량제봉투에 들어가요', { size: 'bag' }],
    ['한 개 있어요', { quantity: 'one' }],
    ['안 씻은 병인데 뚜껑은 뺐어요', { rinsed: 'no', cap: 'off' }],
  ])('%s: %j', (question, condition) => {
    expect(read(question)).toEqual(condition);
  });
});

test.each([
  '씻어야 하나요?',
  '씻은 다음에 버리나요?',
  '라벨 떼야 돼요?',
  '뚜껑을 닫아야 하나요?',
  '기름을 닦아야 하나요?',
  'Do I have to rinse it?',
  'Should it be rinsed?',
  'Does the label have to be removed?',
  'How many can I put in?',
  '2 liters',
  '이거 어떻게 버려요?',
  '',
])('"%s" asks about an action, and tells no state', (question) => {
  expect(read(question)).toEqual({});
});

test('a question about a case is about that case', () => {
  expect(read('깨지면 어떻게 해요?')).toEqual({ damage: 'broken' });
  expect(read('What if it breaks?')).toEqual({ damage: 'broken' });
});

test('what is said both ways is not known', () => {
  expect(read('뚜껑 닫은 병이랑 뚜껑 뺀 병')).toEqual({});
});

test('the question fills only what the photo left unknown', () => {
  const seen: Condition = { cap: 'on', rinsed: 'unknown', contamination: 'none', label: 'unknown' };
  const said: PartialCondition = { cap: 'off', rinsed: 'yes', damage: 'broken' };
  expect(fillCondition(seen, said)).toEqual({ ...seen, rinsed: 'yes', damage: 'broken' });
});

test('a question of the greatest length is read in a few milliseconds', () => {
  const question = '기름 안 묻은 상자인데 뚜껑을 라벨을 봉투에 '.repeat(40).slice(0, 1000);
  read(question);
  const started = performance.now();
  for (let round = 0; round < 20; round++) read(question);
  expect((performance.now() - started) / 20).toBeLessThan(25);
});
