import { expect, test } from '@jest/globals';
import { admitModels, visionModelsSetting } from './admit-models.ts';

const settings = { vision: 'gpt-5', allowed: ['gpt-4o'], localServed: true };

test.each([[['gpt-5']], [['gpt-4o']], [['local']], [['gpt-5', 'local']], [['local', 'gpt-4o']]])(
  '%j may look',
  (models) => {
    expect(admitModels(models, settings)).toEqual({ outcome: 'admitted' });
  },
);

test.each([
  [['gpt-3']],
  [['gpt-5', 'gpt-3']],
  // Two opinions of one kind are none.
  [['gpt-5', 'gpt-4o']],
  [['gpt-5', 'gpt-5']],
  [['local', 'local']],
  [[]],
])('%j is refused as a mistake of the client', (models) => {
  expect(admitModels(models, settings)).toMatchObject({ outcome: 'refused', reason: 'unknown' });
});

test('the local model is refused for now while no worker of it lives, and never taken for a model of the API', () => {
  const unserved = { ...settings, localServed: false };
  expect(admitModels(['gpt-5', 'local'], unserved)).toMatchObject({ outcome: 'refused', reason: 'unserved' });
  expect(admitModels(['gpt-5'], unserved)).toEqual({ outcome: 'admitted' });
  // As the usual model it does not make the name `local` one of the API's.
  expect(admitModels(['local'], { ...unserved, vision: 'local' })).toMatchObject({ reason: 'unserved' });
});

test('a refusal names what may be asked', () => {
  expect(admitModels(['x'], settings)).toMatchObject({ message: expect.stringContaining('gpt-5, gpt-4o, local') });
});

test('the setting is a list, empty by default', () => {
  expect(visionModelsSetting.parse(undefined)).toEqual([]);
  expect(visionModelsSetting.parse('gpt-4o,org/model:1')).toEqual(['gpt-4o', 'org/model:1']);
  expect(visionModelsSetting.safeParse('gpt-4o, x').success).toBe(false);
});
