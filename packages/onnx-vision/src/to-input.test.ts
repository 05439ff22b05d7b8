import { expect, test } from '@jest/globals';
import { toInput } from './to-input.ts';

const as: Parameters<typeof toInput>[1] = {
  layout: 'NHWC',
  channels: 'RGB',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};
/** Two pixels. */
const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6);

test.each([
  ['pixel by pixel', {}, [1, 2, 3, 4, 5, 6]],
  ['as one row', { layout: 'flat' }, [1, 2, 3, 4, 5, 6]],
  ['channel by channel', { layout: 'NCHW' }, [1, 4, 2, 5, 3, 6]],
  ['blue first', { channels: 'BGR' }, [3, 2, 1, 6, 5, 4]],
  ['blue first, channel by channel', { layout: 'NCHW', channels: 'BGR' }, [3, 6, 2, 5, 1, 4]],
  // Scaled first; mean and deviation stand in the order of the model's channels.
  ['normalised', { channels: 'BGR', scale: 2, mean: [6, 0, 0], std: [1, 4, 1] }, [0, 1, 2, 6, 2.5, 8]],
] as const)('pixels go in %s', (_how, change, values) => {
  expect([...toInput(pixels, { ...as, ...change })]).toEqual(values);
});
