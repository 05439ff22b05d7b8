import { describe, expect, test } from '@jest/globals';
import { type Condition } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { context, dirtyBottle, ids, unseen } from './context-fixture.ts';
import { minTokenBudget } from './context.ts';

describe('the outcome', () => {
  const pizza = { item_id: 'pizza-box', subcategory: '종이' };

  test("is the item's group, whatever the photo was taken for", () => {
    const { outcome } = context({ item_id: 'receipt', waste_category: 'recyclable', subcategory: '종이' });
    expect(outcome).toMatchObject({ waste_category: 'general', rule_id: null });
  });

  test('is where a seen condition sends the thing, with the rule that says so among the sentences', () => {
    const condition: Condition = { ...unseen, contamination: 'heavy' };
    const { outcome, sentences } = context({ ...pizza, condition }, '', { tokenBudget: minTokenBudget });
    expect(outcome).toMatchObject({ waste_category: 'general', rule_id: expect.stringMatching(/^pizza-box\//) });
    expect(sentences.map(({ rule_id }) => rule_id)).toContain(outcome?.rule_id);
  });

  test('is read from the question where the photo leaves the condition unknown, and only there', () => {
    const question = '기름 묻은 피자 박스는요?';
    expect(context({ ...pizza, condition: unseen }, question).outcome?.waste_category).toBe('general');
    const clean: Condition = { ...unseen, contamination: 'none' };
    expect(context({ ...pizza, condition: clean }, question).outcome?.waste_category).toBe('recyclable');
    expect(context({ ...pizza, condition: unseen }, '').outcome?.waste_category).toBe('recyclable');
  });

  test('silences the step that names the usual bin, also where the question asks for it', () => {
    const told = ids({ condition: { ...unseen, contamination: 'heavy' } }, '어디에 버려요?');
    expect(told).toContain('clear-pet-bottle/dirty');
    expect(told).not.toContain('clear-pet-bottle/clear-bin');
    expect(ids({ condition: unseen }, '어디에 버려요?')).toContain('clear-pet-bottle/clear-bin');
  });

  test('of an unknown item is the classified category, unless the condition sends it elsewhere', () => {
    const unknown = { item_id: null, item_name: '?', subcategory: '?' };
    expect(context({ ...unknown, condition: unseen }, '').outcome).toEqual({
      waste_category: 'recyclable',
      subcategory: '?',
      rule_id: null,
    });
    const condition: Condition = { ...unseen, contamination: 'heavy' };
    expect(context({ ...unknown, condition }, '').outcome).toMatchObject({
      waste_category: 'general',
      rule_id: 'recyclable/dirty',
    });
  });

  test('names an existing group for every condition that sends a thing elsewhere', () => {
    for (const item of catalogue.items) {
      for (const { id, when, to } of item.rules) {
        // Without a condition it is the question that tells of the case.
        if (to === undefined || when === undefined) continue;
        const state = Object.fromEntries(Object.entries(when).map(([tag, values]) => [tag, values?.[0]]));
        const condition: Condition = { ...unseen, ...state };
        const { outcome } = context({ item_id: item.id, condition }, '');
        const first = item.rules.find((rule) => rule.id === outcome?.rule_id);
        expect([id, first?.to === undefined ? undefined : catalogue.groupById.get(first.to)?.wasteCategory]).toEqual([
          id,
          outcome?.waste_category,
        ]);
      }
    }
  });
});

describe('the condition', () => {
  test('adds what applies and leaves out what does not', () => {
    const clean = ids({ item_id: 'delivery-container', condition: { ...unseen, contamination: 'none' } });
    const dirty = ids({ item_id: 'delivery-container', condition: { ...unseen, contamination: 'heavy' } });
    expect(clean).not.toContain('delivery-container/stained');
    expect(dirty).toContain('delivery-container/stained');
  });

  test('makes a step needless: no label to peel off, no second rinse', () => {
    const bare = ids({ condition: { ...dirtyBottle, label: 'off', rinsed: 'yes' } });
    expect(bare).not.toContain('clear-pet-bottle/label-off');
    expect(bare).not.toContain('clear-pet-bottle/rinse');
    expect(bare).toContain('clear-pet-bottle/clear-bin');
  });

  test('that is not known keeps the steps and the important rules', () => {
    const rules = ids({ condition: unseen });
    expect(rules).toContain('clear-pet-bottle/label-off');
    expect(rules).toContain('clear-pet-bottle/dirty');
    expect(rules).not.toContain('clear-pet-bottle/cap-off');
  });
});
