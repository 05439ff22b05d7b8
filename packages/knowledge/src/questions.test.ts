import { expect, test } from '@jest/globals';
import { catalogue } from './catalogue.ts';
import { search } from './search.ts';
import { buildIndex } from './search-index.ts';

const index = buildIndex(catalogue);

/** Questions in the words that people use; the lower half are traps. */
test.each([
  ['우유팩 어떻게 버려요?', 'milk-carton'],
  ['다 먹은 우유팩 종이로 버려도 되나요?', 'milk-carton'],
  ['피자박스에 기름이 묻었는데 종이로 버려도 되나요?', 'pizza-box'],
  ['택배 상자 테이프 떼야 하나요?', 'cardboard-box'],
  ['투명 페트병 라벨 떼야돼요?', 'clear-pet-bottle'],
  ['커피 캡슐은 어떻게 버리나요?', 'coffee-capsule'],
  ['스치로폼 박스 어떻게 버려요', 'styrofoam-box'],
  ['형광들 버리는 법', 'fluorescent-lamp'],
  ['후라이펜은 어디에 버려야 하나요', 'frying-pan'],
  ['프라스틱 칫솔 플라스틱으로 버리면 되죠?', 'toothbrush'],
  ['보조밧데리 버리는 곳 알려주세요', 'power-bank'],
  ['선풍기가 고장났는데 버리려면 돈 내야 하나요', 'fan'],
  ['컵라면 용기 종이로 버리면 되나요', 'cup-noodle'],
  ['헌옷 버리려고 하는데요', 'clothes'],
  ['침대 매트리스 혼자 못 옮기겠어요', 'mattress'],
  ['약을 어디에 버려야 하나요?', 'medicine'],
  ['노트북 버릴 때 데이터는요?', 'computer'],
  ['소주병 돈으로 바꿔 주나요?', 'deposit-bottle'],
  ['뽁뽁이는 무슨 쓰레기예요?', 'bubble-wrap'],
  ['텀블러 버리는 방법', 'tumbler'],
  ['How do I throw away a pizza box?', 'pizza-box'],
  ['pizza box with grease on it', 'pizza-box'],
  ['where does a broken mirror go?', 'mirror'],
  ['flourescent lamp', 'fluorescent-lamp'],
  ['How to dispose of a mattress?', 'mattress'],
  ['what should I do with used cooking oil', 'used-cooking-oil'],
  ['Can I put paper cups in the paper bin?', 'paper-cup'],
  ['old frying pan', 'frying-pan'],
  ['I have a swollen power bank, what now?', 'power-bank'],
  ['Do I have to remove the label from a clear PET bottle?', 'clear-pet-bottle'],
  // Traps.
  ['영수증은 종이인가요?', 'receipt'],
  ['거울은 유리로 버려도 되나요?', 'mirror'],
  ['깨진 유리컵은 유리병에 버려요?', 'broken-glass'],
  ['냄비 유리뚜껑은 유리로 버리나요?', 'heat-resistant-glass'],
  ['양파껍질은 음식물 쓰레기인가요?', 'onion-skin'],
  ['치킨 먹고 남은 뼈는 음식물이에요?', 'bones'],
  ['계란껍데기 음식물 쓰레기에 넣어도 되나요?', 'eggshell'],
  ['복숭아씨는 음식물인가요', 'hard-seeds'],
  ['티백은 음식물 쓰레기인가요?', 'tea-bag'],
  ['조개껍데기 음식물로 버리나요?', 'shells'],
  ['아이스팩 싱크대에 버려도 되나요', 'ice-pack'],
  ['우산 고철로 버려요?', 'umbrella'],
  ['씨디는 플라스틱인가요?', 'cd'],
  ['물티슈 변기에 버려도 되나요', 'wet-wipe'],
  ['부탄가스 구멍 뚫어야 하나요', 'butane-can'],
  ['고무장갑은 비닐인가요?', 'rubber-glove'],
  ['샴푸통 펌프는 빼야 하나요?', 'pump-bottle'],
  ['두유팩도 우유팩이랑 같이 버려요?', 'aseptic-carton'],
  ['멜라민 그릇 플라스틱으로 버려도 되나요?', 'melamine'],
  ['고양이 모래는 어떻게 버려요', 'cat-litter'],
  ['칫솔 플라스틱 맞나요?', 'toothbrush'],
  ['뚝배기 유리병 수거함에 넣어도 되나요?', 'ceramic-dish'],
  ['can I put receipts in the paper bin?', 'receipt'],
  ['Is a milk carton paper?', 'milk-carton'],
  ['Do chicken bones go in food waste?', 'bones'],
  ['tea bags in the compost?', 'tea-bag'],
  ['Are light bulbs with LED glass?', 'led-bulb'],
  ['is an umbrella scrap metal?', 'umbrella'],
  ['Can butane cans go with cans?', 'butane-can'],
  ['ceramic plates in the glass bin?', 'ceramic-dish'],
])('%s is about %s', (question, id) => {
  const [best] = search(index, question, { limit: 1 });
  expect(best?.item.id).toBe(id);
  expect(best?.score).toBeGreaterThan(0.65);
});

test.each([
  '이거 뭐예요?',
  '안녕하세요 반가워요',
  '종이로 버려도 되나요?',
  '플라스틱인가요?',
  'Which bin?',
  'Is it paper?',
  '',
])('"%s" names nothing', (question) => {
  expect(search(index, question, { limit: 5 }).filter(({ score }) => score > 0.35)).toEqual([]);
});
