import { describe, expect, test } from '@jest/globals';
import type { WasteCategory } from '@bunri/queue-contracts';
import { buildCatalogue, catalogue, dataFiles } from './catalogue.ts';
import { search } from './search.ts';
import { buildIndex } from './search-index.ts';

describe('things that people get wrong', () => {
  const index = buildIndex(catalogue);
  const table: [name: string, id: string, category: WasteCategory][] = [
    ['영수증', 'receipt', 'general'],
    ['thermal paper', 'receipt', 'general'],
    ['우유팩', 'milk-carton', 'recyclable'],
    ['두유팩', 'aseptic-carton', 'recyclable'],
    ['냄비 유리뚜껑', 'heat-resistant-glass', 'noncombustible'],
    ['내열유리', 'heat-resistant-glass', 'noncombustible'],
    ['깨진 유리', 'broken-glass', 'noncombustible'],
    ['거울', 'mirror', 'noncombustible'],
    ['뚝배기', 'ceramic-dish', 'noncombustible'],
    ['멜라민 그릇', 'melamine', 'general'],
    ['닭뼈', 'bones', 'general'],
    ['조개껍데기', 'shells', 'general'],
    ['계란 껍질', 'eggshell', 'general'],
    ['복숭아 씨', 'hard-seeds', 'general'],
    ['티백', 'tea-bag', 'general'],
    ['양파 껍질', 'onion-skin', 'general'],
    ['바나나 껍질', 'fruit-peel', 'food'],
    ['건전지', 'dry-battery', 'recyclable'],
    ['보조배터리', 'power-bank', 'recyclable'],
    ['부탄가스', 'butane-can', 'recyclable'],
    ['살충제 캔', 'spray-can', 'recyclable'],
    ['샴푸통', 'pump-bottle', 'recyclable'],
    ['커피캡슐', 'coffee-capsule', 'general'],
    ['아이스팩', 'ice-pack', 'general'],
    ['감기약', 'medicine', 'hazardous'],
    ['수은 체온계', 'mercury-thermometer', 'hazardous'],
    ['CD', 'cd', 'general'],
    ['장난감', 'toy', 'general'],
    ['우산', 'umbrella', 'general'],
    ['프라이팬', 'frying-pan', 'recyclable'],
    ['형광등', 'fluorescent-lamp', 'recyclable'],
    ['LED 전구', 'led-bulb', 'recyclable'],
    ['백열전구', 'incandescent-bulb', 'noncombustible'],
    ['맥주 페트병', 'coloured-pet-bottle', 'recyclable'],
    ['생수병', 'clear-pet-bottle', 'recyclable'],
    ['스티로폼 박스', 'styrofoam-box', 'recyclable'],
    ['색깔 스티로폼', 'coloured-styrofoam', 'general'],
    ['뽁뽁이', 'bubble-wrap', 'recyclable'],
    ['빨대', 'straw', 'general'],
    ['종이컵', 'paper-cup', 'recyclable'],
    ['피자 상자', 'pizza-box', 'recyclable'],
    ['헌책', 'book', 'recyclable'],
    ['노트북', 'computer', 'recyclable'],
    ['헌옷', 'clothes', 'recyclable'],
    ['베개', 'cotton-duvet', 'general'],
    ['소파', 'sofa', 'bulky'],
    ['여행용 가방', 'suitcase', 'bulky'],
    ['냉장고', 'refrigerator', 'recyclable'],
    ['드라이기', 'hair-dryer', 'recyclable'],
    ['벽지', 'wallpaper', 'construction'],
    ['타일', 'tile', 'construction'],
    ['벽돌', 'brick', 'construction'],
    ['물티슈', 'wet-wipe', 'general'],
    ['알약 포장', 'blister-pack', 'general'],
  ];

  test.each(table)('%s is %s, %s', (name, id, category) => {
    const [best] = search(index, name, { limit: 1, strict: true });
    expect(best).toMatchObject({ item: { id, wasteCategory: category } });
    expect(best?.score).toBeGreaterThan(0.9);
  });
});

test('the version changes with the data and only with it', () => {
  const groups = structuredClone(dataFiles.groups);
  expect(buildCatalogue({ ...dataFiles, groups }).version).toBe(catalogue.version);
  const [item] = groups[0]?.items ?? [];
  if (item !== undefined) item.names.en = 'Bottle';
  expect(buildCatalogue({ ...dataFiles, groups }).version).not.toBe(catalogue.version);
  const tokenCounts = { ...dataFiles.tokenCounts, 'receipt/none': [1, 1] as [number, number] };
  expect(buildCatalogue({ ...dataFiles, tokenCounts }).version).toBe(catalogue.version);
  expect(catalogue.version).toMatch(/^[0-9a-f]{12}$/);
});
