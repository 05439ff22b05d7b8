import { expect, test } from '@jest/globals';
import { outcomePlaces } from './place-words.ts';
import { mentionedPlaces } from './places.ts';

const seen = (text: string) =>
  mentionedPlaces(text).map(({ place, isNegated }) => (isNegated ? `not ${place}` : place));

test.each([
  ['종량제봉투에 넣으세요.', ['general']],
  ['영수증은 종이류로 내놓지 마세요.', ['not paper']],
  ['종이로 버리면 안 돼요.', ['not paper']],
  ['종이류나 비닐류로 버리면 안 돼요.', ['not paper', 'not vinyl']],
  ['비닐류에 섞지 말고 종이류로 내놓으세요.', ['not vinyl', 'paper']],
  ['종이류가 아니라 종량제봉투에 넣으세요.', ['not paper', 'general']],
  ['종량제봉투에 버리면 되고 재활용은 안 돼요.', ['general']],
  ['고무와 실리콘은 비닐류도 플라스틱류도 아닙니다.', ['not vinyl', 'not plastics']],
  ['폐형광등 수거함에 형광등과 섞이지 않게 넣으세요.', ['lamp']],
  ['불연성 종량제봉투에 담으세요.', ['noncombustible']],
  ['플라스틱으로 배출하면 돼요.', ['plastics']],
  ['음식물 쓰레기를 비우고 헹구세요.', []],
  ['음식물 쓰레기로 버려 주세요.', ['food']],
  ['플라스틱 뚜껑을 떼고 종이로 싸세요.', []],
  ['비닐에 담아 밀봉하고 유리병을 헹구세요.', []],
] as const)('%s names %j', (text, places) => {
  expect(seen(text)).toEqual(places);
});

test.each([
  ['Put it into the standard garbage bag.', ['general']],
  ['Put it out with plastics.', ['plastics']],
  ['You can put it with paper.', ['paper']],
  ['Do not put it with paper or glass.', ['not paper', 'not glass']],
  ['Never mix it with garbage or other recyclables: it can start a fire.', ['not general', 'not recyclable']],
  ['It is not paper, so put it into the garbage bag.', ['general']],
  ['It goes into the garbage bag, not with food waste.', ['general', 'not food']],
  ['Film that does not wash off goes into the standard garbage bag.', ['general']],
  ['A clear cup that is not foamed is plastics, not styrofoam.', ['plastics']],
  ['Keep it out of scrap metal, cans and the garbage bag.', ['not metal', 'not general']],
  ['If several pieces do not fit, report them as bulky waste.', ['bulky']],
  ['Scrape off food waste and any garbage inside.', []],
  ['It is food waste.', ['food']],
  ['Throw it in the trash.', ['general']],
  ['Take off the plastic lid and wrap it in paper.', []],
] as const)('%s names %j', (text, places) => {
  expect(seen(text)).toEqual(places);
});

test.each([
  ['general', '일반종량제', ['general']],
  ['recyclable', '무색페트병', ['recyclable', 'clear-pet']],
  ['recyclable', '종이팩', ['recyclable', 'paper-pack']],
  ['recyclable', '고철', ['recyclable', 'metal']],
  ['recyclable', '의류·섬유류', ['recyclable', 'textile']],
  ['recyclable', '전기·전자제품', ['recyclable', 'electronics']],
] as const)('the outcome %s, %s stands for %j', (waste_category, subcategory, places) => {
  expect(outcomePlaces({ waste_category, subcategory })).toEqual(places);
});
