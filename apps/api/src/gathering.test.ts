import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { gather, inPieces } from './gathering.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test('chunks of one byte become one buffer that is never larger than its limit', () => {
  const gathering = gather({ firstBytes: 2, mostBytes: 11 });
  const taken = Array.from('hello world!', (letter) => gathering.add(Buffer.from(letter)));
  expect(taken.filter(Boolean)).toHaveLength(11);
  expect(text(gathering.bytes())).toBe('hello world');
  expect(gathering.bytes().buffer.byteLength).toBe(11);
});

test('a chunk that does not fit leaves what was gathered as it is', () => {
  const gathering = gather({ firstBytes: 4, mostBytes: 4 });
  expect(gathering.add(Buffer.from('abc'))).toBe(true);
  expect(gathering.add(Buffer.from('de'))).toBe(false);
  expect(text(gathering.bytes())).toBe('abc');
});

test('pieces are the same bytes in the same order, whatever the chunks were', async () => {
  const chunks = ['a', 'b', 'c', 'd', 'a long one', 'e', 'fg', 'hij'].map((chunk) => Buffer.from(chunk));
  const pieces: string[] = [];
  for await (const piece of inPieces(Readable.from(chunks), 3)) pieces.push(text(piece));
  expect(pieces).toEqual(['abc', 'd', 'a long one', 'efg', 'hij']);
});
