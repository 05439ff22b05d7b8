import { expect, test } from '@jest/globals';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { colourClassifier, sklearnClassifier } from './model-fixture.ts';
import { writeModel } from './onnx-fixture.ts';
import { readSignature, withoutMap, type Signature } from './onnx-file.ts';
import { lengthField } from './protobuf.ts';

function signatureOf(bytes: Uint8Array): Signature {
  const folder = mkdtempSync(join(tmpdir(), 'bunri-onnx-'));
  try {
    const path = join(folder, 'x.onnx');
    writeFileSync(path, bytes);
    return readSignature(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the file tells inputs and outputs with their sizes, and weights that are listed as inputs are none', () => {
  expect(signatureOf(colourClassifier())).toEqual({
    inputs: [{ name: 'pixel_values', kind: 'float', dims: [null, 3, 8, 8] }],
    outputs: [{ name: 'logits', kind: 'float', dims: [null, 3] }],
  });
  expect(signatureOf(sklearnClassifier('map')).outputs).toEqual([
    { name: 'output_label', kind: 'other', dims: [null] },
    { name: 'probabilities', kind: 'map', dims: undefined },
  ]);
  const old = writeModel({
    nodes: [{ does: 'MatMul', takes: ['x', 'w'], gives: ['y'] }],
    weights: { w: [[1], [2]] },
    inputs: { w: [2, 1], x: [0, 2] },
    outputs: { y: ['batch', 1] },
  });
  expect(signatureOf(old).inputs).toEqual([{ name: 'x', kind: 'float', dims: [null, 2] }]);
});

test('without its map a model gives the numbers that the map was made of, and nothing else changes', () => {
  const changed = withoutMap(sklearnClassifier('map'), 'probabilities');
  expect(changed.output).toBe('probability_tensor');
  expect(signatureOf(changed.bytes).outputs).toEqual([
    { name: 'output_label', kind: 'other', dims: [null] },
    { name: 'probability_tensor', kind: 'float', dims: undefined },
  ]);
  expect(Buffer.from(changed.bytes).includes('ZipMap')).toBe(false);
  expect(() => withoutMap(colourClassifier(), 'logits')).toThrow(/not made by ZipMap/);
});

test.each([0.3, 0.6, 0.99])('a file of which the end is missing (after %d of it) is told as such', (share) => {
  const bytes = colourClassifier();
  expect(() => signatureOf(bytes.subarray(0, Math.floor(bytes.length * share)))).toThrow(/no ONNX/);
});

test.each([
  ['zeros', Buffer.alloc(4096), /no ONNX/],
  ['endless parts', Buffer.alloc(500_000, Uint8Array.of(8, 0)), /more parts/],
  ['a part that is longer than the file', lengthField(7, 'x').subarray(0, 2), /not complete/],
  ['a name of a megabyte', lengthField(7, lengthField(11, lengthField(1, 'x'.repeat(2 ** 20)))), /not complete/],
])('a file of %s is refused before it is held in memory', (_what, bytes, words) => {
  expect(() => signatureOf(bytes)).toThrow(words);
});
