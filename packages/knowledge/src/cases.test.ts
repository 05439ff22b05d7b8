import { describe, expect, test } from '@jest/globals';
import type { Classification } from '@bunri/queue-contracts';
import { buildContext } from './context.ts';

/** A photo that shows nothing. */
const nothing: Classification = {
  waste_category: 'general',
  subcategory: '일반종량제',
  item_id: null,
  item_name: '',
  confidence: 0,
  condition: { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown' },
  engine: { provider: 'none', model: 'none' },
};
const ask = (question: string, over: Partial<Classification> = {}) =>
  buildContext({ classification: { ...nothing, ...over }, question, locale: 'ko', tokenBudget: 800 });

describe('where nothing is known', () => {
  test.each(['이거 뭐예요?', '', '번쩍번쩍하는 거 어디에 버려요?'])(
    '"%s" has no outcome, and says whom to ask',
    (question) => {
      const { outcome, item_id, sentences } = ask(question);
      expect(item_id).toBeNull();
      expect(outcome).toBeUndefined();
      expect(sentences.map(({ rule_id }) => rule_id)).toEqual(['any/ask']);
    },
  );

  test('the group of what it is said to be made of speaks', () => {
    const { outcome, sentences, match } = ask('천으로 된 무언가');
    expect(match).toBe('category');
    expect(outcome?.subcategory).toBe(ask('', { item_id: 'clothes', confidence: 0.9 }).outcome?.subcategory);
    expect(sentences.map(({ rule_id }) => rule_id)).toContain('textile/clean-dry');
  });

  test('two materials decide nothing', () => {
    expect(ask('천이랑 고무로 된 무언가').outcome).toBeUndefined();
  });

  test('a photo that saw a category is believed', () => {
    expect(ask('', { confidence: 0.5, waste_category: 'bulky' }).outcome?.waste_category).toBe('bulky');
  });
});

describe('a case that no tag has', () => {
  test('is told by a thing that the rule names', () => {
    expect(ask('생수병 안에 담배꽁초가 있어요').outcome).toMatchObject({
      waste_category: 'general',
      rule_id: 'clear-pet-bottle/dirty',
    });
  });

  test('is not told by what is denied, nor by a word that is no thing', () => {
    expect(ask('생수병에 담배꽁초 안 들었어요').outcome?.rule_id).toBeNull();
    expect(ask('헌옷 입을만한 거').outcome?.rule_id).toBeNull();
  });

  test('is a material that belongs to something else', () => {
    expect(ask('세라믹 칼 고철인가요?').outcome).toMatchObject({
      waste_category: 'noncombustible',
      rule_id: 'knife/vs-ceramic-dish',
    });
    expect(ask('부엌칼').outcome?.waste_category).toBe('recyclable');
  });
});

describe('a rule is asked for', () => {
  const asked = (item_id: string, question: string) =>
    ask(question, { item_id, confidence: 0.9 })
      .sentences.filter((sentence) => sentence.asked)
      .map(({ rule_id }) => rule_id);

  test('by a word that it shares with the question', () => {
    expect(asked('ointment', '우체통에 넣어도 되나')).toContain('ointment/no-postbox');
    expect(asked('ointment', '')).not.toContain('ointment/no-postbox');
  });

  test('of the whole group, by what no rule of the item is about', () => {
    expect(asked('tile', '인테리어 업체가 공사했는데 제가 치워야 하나요')).toContain('construction/contractor');
    expect(asked('tile', '')).not.toContain('construction/contractor');
  });
});

test('a danger that is seen counts as asked for, and silences the step that it forbids', () => {
  const condition = { ...nothing.condition, hazard: 'present' as const };
  const { sentences } = ask('주민센터 수거함에 넣으면 되죠?', { item_id: 'power-bank', confidence: 0.9, condition });
  expect(sentences.find(({ rule_id }) => rule_id === 'power-bank/swollen')).toMatchObject({ asked: true });
  const calm = ask('주민센터 수거함에 넣으면 되죠?', { item_id: 'power-bank', confidence: 0.9 });
  const steps = (all: typeof sentences) => all.filter(({ kind }) => kind === 'step').map(({ rule_id }) => rule_id);
  expect(steps(sentences).length).toBeLessThan(steps(calm.sentences).length);
});
