import { expect, test } from '@jest/globals';
import { releaseBytes } from './release-bytes.ts';

test('bytes that have a buffer of their own are gone at once', () => {
  const bytes = Buffer.allocUnsafeSlow(2 ** 20);
  const before = process.memoryUsage().arrayBuffers;
  releaseBytes(bytes);
  releaseBytes(bytes);
  expect(bytes).toHaveLength(0);
  expect(process.memoryUsage().arrayBuffers).toBe(before - 2 ** 20);
});

test('bytes that share a buffer stay, and so do their neighbours', () => {
  const [bytes, neighbour] = [Buffer.from('pooled'), Buffer.from('neighbour')];
  expect(neighbour.buffer).toBe(bytes.buffer);
  releaseBytes(bytes);
  expect([String(bytes), String(neighbour)]).toEqual(['pooled', 'neighbour']);
});
