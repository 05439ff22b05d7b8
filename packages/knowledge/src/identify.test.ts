import { describe, expect, test } from '@jest/globals';
import type { Classification } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { buildContext, type ContextRequest } from './context.ts';

const classified: Classification = {
  waste_category: 'recyclable',
  subcategory: '무색페트병',
  item_id: 'clear-pet-bottle',
  item_name: '무색(투명) 페트병',
  confidence: 0.9,
  condition: { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' },
  engine: { provider: 'simulator', model: 'vision-1' },
};

function context(
  over: Partial<Classification> = {},
  question = '이거 어떻게 버려요?',
  { locale = 'ko', chosen }: Partial<Pick<ContextRequest, 'locale' | 'chosen'>> = {},
) {
  return buildContext({ classification: { ...classified, ...over }, question, locale, tokenBudget: 600, chosen });
}

describe('what the thing is', () => {
  const named = '이 영수증은 어떻게 버려요?';

  test('is what the photo shows, if that is certain, whatever the question mentions', () => {
    for (const question of [named, '종량제봉투에 버려요? 스티커랑 테이프는요?', '유리병이에요']) {
      const sure = context({ confidence: 0.6 }, question);
      expect(sure).toMatchObject({ item_id: 'clear-pet-bottle', match: 'id' });
      expect(sure.clarification).toBeUndefined();
    }
  });

  test('is not looked up by what the local engine calls it, which names a material alone', () => {
    const over = { item_id: null, item_name: '유리병', waste_category: 'recyclable', subcategory: '종이팩' } as const;
    const engine = { provider: 'local', model: 'materials@1' };
    expect(context({ ...over, engine }).match).toBe('category');
    expect(context(over).match).toBe('search');
  });

  test('is what the question clearly names, if the photo is a guess', () => {
    const found = context({ confidence: 0.59 }, named);
    expect(found).toMatchObject({ item_id: 'receipt', match: 'search', outcome: { waste_category: 'general' } });
    expect(found.clarification).toBeUndefined();
  });

  test('is what the question names, as surely as it names it, where the photo shows nothing with a name', () => {
    const unknown = { item_id: null, waste_category: 'general' as const, subcategory: '?' };
    expect(context({ ...unknown, item_name: '?' }, named).candidates[0]).toMatchObject({
      item_id: 'receipt',
      score: 1,
    });
    const both = context({ ...unknown, item_name: '거울' }, named).candidates;
    expect(both.find(({ item_id }) => item_id === 'receipt')?.score).toBeLessThan(0.9);
  });

  test('is certain where the question names what the photo seems to show', () => {
    const found = context({ confidence: 0.3 }, '투명 페트병은 어떻게 버려요?');
    expect(found).toMatchObject({ item_id: 'clear-pet-bottle', match: 'id' });
    expect(found.clarification).toBeUndefined();
  });

  test('is not the lid, the label or the bin that a question about a guess mentions', () => {
    for (const question of [
      '뚜껑도 같이 버려요?',
      '빨대는 어떻게 해요?',
      'What about the sticker?',
      '라벨은 떼나요?',
      '종량제봉투에 버려요?',
      'with the lid on?',
    ]) {
      expect(context({ confidence: 0.4 }, question)).toMatchObject({ item_id: 'clear-pet-bottle', match: 'id' });
    }
  });
});

describe('a clarification', () => {
  const options = (...args: Parameters<typeof context>) =>
    context(...args).clarification?.options.map(({ item_id }) => item_id);
  const candidate = (item_id: string, confidence: number) => ({ item_id, item_name: item_id, confidence });

  test('asks for a guess, with the candidates of the photo, likeliest first', () => {
    const candidates = [candidate('clear-tray', 0.1), candidate('coloured-pet-bottle', 0.3)];
    const asked = context({ confidence: 0.5, candidates });
    expect(asked.clarification?.question).toMatch(/\?$/);
    expect(asked.clarification?.options).toEqual([
      {
        item_id: 'clear-pet-bottle',
        label: catalogue.itemById.get('clear-pet-bottle')?.names.ko,
        waste_category: 'recyclable',
        subcategory: '무색페트병',
      },
      expect.objectContaining({ item_id: 'coloured-pet-bottle' }),
      expect.objectContaining({ item_id: 'clear-tray' }),
    ]);
  });

  test('asks about what a guess is taken for, if the photo has no candidates', () => {
    const asked = options({ confidence: 0.5 });
    expect(asked?.[0]).toBe('clear-pet-bottle');
    expect(asked).toContain('coloured-pet-bottle');
  });

  test('asks in the language of the request, each item once, two to five of them', () => {
    const candidates = ['clear-tray', 'clear-tray', 'coloured-pet-bottle', 'plastic-cup', 'glass-bottle', 'milk-jug'];
    const over = { confidence: 0.2, candidates: candidates.map((id, index) => candidate(id, 0.15 - index / 100)) };
    const { clarification } = context(over, '', { locale: 'en' });
    expect(clarification?.question).toMatch(/^[A-Z][a-z ]+\?$/);
    expect(clarification?.options).toHaveLength(5);
    expect(new Set(clarification?.options.map(({ item_id }) => item_id)).size).toBe(5);
    expect(clarification?.options.every(({ label }) => !/[가-힣]/.test(label))).toBe(true);
  });

  test('asks where the words may be several things, in the declared order', () => {
    const { items } = catalogue.ambiguous.find(({ words }) => words.ko.includes('배터리')) ?? { items: [] };
    const unseenThing = { item_id: null, item_name: '?', confidence: 0.3, waste_category: 'recyclable' as const };
    expect(options({ ...unseenThing, subcategory: '전지' }, '배터리 어떻게 버려요?')).toBeUndefined();
    expect(options(unseenThing, '컵은 어디에 버려요?')?.slice(0, 2)).toEqual(['paper-cup', 'plastic-cup']);
    expect(context(unseenThing, '배터리 어떻게 버려요?').item_id).toBe(items[0]);
  });

  test('asks nothing where all that it may be goes the same way', () => {
    const candidates = [candidate('label-free-bottle', 0.3), candidate('soda-bottle', 0.2)];
    expect(options({ confidence: 0.5, candidates })).toBeUndefined();
    expect(options({ confidence: 0.5, candidates: [...candidates, candidate('glass-bottle', 0.1)] })).toHaveLength(4);
  });

  test('asks where no item is known and the photo has candidates', () => {
    const candidates = [candidate('mirror', 0.3), candidate('drinking-glass', 0.25), candidate('glass-bottle', 0.2)];
    const over = { item_id: null, item_name: '?', subcategory: '?', candidates };
    expect(options(over, '')).toEqual(['mirror', 'drinking-glass', 'glass-bottle']);
  });
});

describe('what the person chose', () => {
  const guess = { confidence: 0.2, item_id: 'clear-pet-bottle' };

  test('by id is the item, and is never asked again', () => {
    const chosen = context(guess, '배터리는요?', { chosen: { itemId: 'receipt' } });
    expect(chosen).toMatchObject({ item_id: 'receipt', match: 'id', confirmed: true });
    expect(chosen.clarification).toBeUndefined();
  });

  test('in words wins over a certain photo', () => {
    const chosen = context({ confidence: 0.95 }, '', { chosen: { text: '깨진 거울이에요' } });
    expect(chosen).toMatchObject({ item_id: 'mirror', match: 'search', confirmed: true });
    expect(chosen.clarification).toBeUndefined();
  });

  test('in words that may be several things is asked once more', () => {
    const { clarification, confirmed } = context(guess, '', { chosen: { text: '컵' } });
    expect(confirmed).toBeUndefined();
    expect(clarification?.options.length).toBeGreaterThan(1);
  });

  test('in words that nobody knows leaves the photo a guess', () => {
    const chosen = context({ confidence: 0.95 }, '', { chosen: { text: '뷁뷁' } });
    expect(chosen).toMatchObject({ item_id: 'clear-pet-bottle', match: 'id' });
    expect(chosen.confirmed).toBeUndefined();
    expect(chosen.clarification?.options.length).toBeGreaterThan(1);
  });

  test('by an id that has left the catalogue is read as words', () => {
    const chosen = context(guess, '', { chosen: { itemId: 'frying-pan-old' } });
    expect(chosen).toMatchObject({ item_id: 'frying-pan', match: 'search' });
  });
});
