import { expect, test } from '@jest/globals';
import { placeStages } from './picture.ts';

const across = { width: 200, height: 100, gap: 50, isDown: false };
const down = { ...across, isDown: true };
const usual = ['preprocess', 'vision', 'rag', 'llm'];
const place = (names: readonly string[], layout = across) =>
  Object.fromEntries(
    placeStages(
      names.map((name) => ({ name })),
      layout,
    ).map(({ stage, x, y, hangsFrom }) => [stage.name, [x, y, hangsFrom]]),
  );

test('the stages stand in a row, or one below the other', () => {
  expect(place(usual)).toEqual({
    preprocess: [0, 0, null],
    vision: [250, 0, null],
    rag: [500, 0, null],
    llm: [750, 0, null],
  });
  expect(place(usual, down)).toMatchObject({ preprocess: [0, 0, null], llm: [0, 450, null] });
});

test.each([[[...usual, 'vision.local']], [['preprocess', 'vision.local', 'vision', 'rag', 'llm']]])(
  'a sibling hangs below its stage, wherever it is listed: %j',
  (names) => {
    expect(place(names)).toEqual({ ...place(usual), 'vision.local': [250, 150, 100] });
    expect(place(names, down)).toMatchObject({
      vision: [0, 150, null],
      'vision.local': [44, 300, 250],
      rag: [0, 450, null],
    });
  },
);

test('two siblings hang one below the other; what nothing is known of stands for itself', () => {
  const names = ['a', 'a.x', 'a.y', 'b.z', 'ab'];
  expect(place(names)).toEqual({
    a: [0, 0, null],
    'a.x': [0, 150, 100],
    'a.y': [0, 300, 100],
    'b.z': [250, 0, null],
    ab: [500, 0, null],
  });
});
