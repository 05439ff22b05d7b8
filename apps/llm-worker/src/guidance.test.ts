import { expect, test } from '@jest/globals';
import type { ContextSentence } from '@bunri/queue-contracts';
import { groundGuidance, guidanceAnswerSchema, type GuidanceAnswer } from './guidance.ts';

const sentence = (rule_id: string, version: string): ContextSentence => ({
  rule_id,
  version,
  kind: 'step',
  text: `What ${rule_id} says.`,
});
const sentences = [sentence('can/rinse', '2023'), sentence('can/crush', '2024-05'), sentence('metal/gas', '2023')];

function answerWith(steps: GuidanceAnswer['steps'], rest: Partial<GuidanceAnswer> = {}): GuidanceAnswer {
  return { answer: 'Rinse it.', steps, missing: [], warnings: [], ...rest };
}

test.each([
  { cites: 'a rule of the context', rule_ids: ['can/rinse'], kept: ['can/rinse'] },
  { cites: 'a rule twice', rule_ids: ['can/rinse', 'can/rinse'], kept: ['can/rinse'] },
  { cites: 'also an unknown rule', rule_ids: ['can/burn', 'can/crush'], kept: ['can/crush'] },
  { cites: 'unknown rules alone', rule_ids: ['can/burn', 'rule:can/rinse'], kept: null },
  { cites: 'nothing', rule_ids: [], kept: null },
])('a step that cites $cites keeps $kept', ({ rule_ids, kept }) => {
  const certain = { text: 'Take care.', rule_ids: ['metal/gas'] };
  const { guidance, droppedSteps } = groundGuidance(answerWith([{ text: 'Do it.', rule_ids }, certain]), { sentences });
  expect(guidance.steps).toEqual(kept ? [{ text: 'Do it.', rule_ids: kept }, certain] : [certain]);
  expect(droppedSteps).toBe(kept ? 0 : 1);
});

test('the sources are the cited rules, once each and with their versions, in the order of citing', () => {
  const steps = [
    { text: 'Crush it.', rule_ids: ['can/crush'] },
    { text: 'Rinse it.', rule_ids: ['can/rinse', 'can/crush', 'can/burn'] },
  ];
  expect(groundGuidance(answerWith(steps), { sentences }).guidance.sources).toEqual([
    { rule_id: 'can/crush', version: '2024-05' },
    { rule_id: 'can/rinse', version: '2023' },
  ]);
});

test('blank texts are left out, and a blank step counts as dropped', () => {
  const steps = [
    { text: ' ', rule_ids: ['can/rinse'] },
    { text: ' Rinse it.\n', rule_ids: ['can/rinse'] },
  ];
  const answer = answerWith(steps, { answer: ' Yes. ', missing: ['', 'Is it empty?'], warnings: [' '] });
  expect(groundGuidance(answer, { sentences })).toMatchObject({
    guidance: { answer: 'Yes.', steps: [{ text: 'Rinse it.' }], missing: ['Is it empty?'], warnings: [] },
    droppedSteps: 1,
  });
});

test('where the rules send the thing is told with the guidance', () => {
  const outcome = { waste_category: 'general', subcategory: '일반종량제', rule_id: 'can/dirty' } as const;
  expect(groundGuidance(answerWith([]), { sentences, outcome }).guidance.outcome).toEqual(outcome);
  expect(groundGuidance(answerWith([]), { sentences }).guidance).not.toHaveProperty('outcome');
});

test("a step loses its number in the model's own list", () => {
  const steps = [{ text: '1. Rinse it.', rule_ids: ['can/rinse'] }];
  expect(groundGuidance(answerWith(steps), { sentences }).guidance.steps[0]?.text).toBe('Rinse it.');
});

test('the answer is the first thing that the model writes', () => {
  expect(Object.keys(guidanceAnswerSchema.shape)[0]).toBe('answer');
});
