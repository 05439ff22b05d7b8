import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { packArchive, unpackArchive } from './archive-codec.ts';
import { dictionaries } from './archive-dictionary.ts';

const archive = {
  fields: { completedAt: '1795334478478', question: '이거 어떻게 버려요? "\\\u0000😀' },
  events: [['1', 'accepted', '1795334475733', '{}']] as const,
};

test('what is packed comes out exactly', () => {
  expect(unpackArchive(packArchive(archive))).toEqual(archive);
  const long = { ...archive, fields: { ...archive.fields, text: '가나다 '.repeat(100_000) } };
  expect(unpackArchive(packArchive(long))).toEqual(long);
});

test('no dictionary that archives were written with has changed', () => {
  const known = dictionaries.map((dictionary) => createHash('sha256').update(dictionary).digest('hex').slice(0, 16));
  expect(known).toEqual(['a8456329c838e831']);
});

test('an archive of the first edition can be read for ever', () => {
  const packed = Buffer.from(
    'eLugT7Gaw9aqNjU2NjExtzAxB4UlrMoAdl1hPQdsvYoYpZiYmFJQCf9h/owGXBkRYrKpubEx3AEArkEv2Q==',
    'base64',
  );
  expect(unpackArchive(packed)).toEqual(archive);
});

test('a damaged archive, and one of an unknown dictionary, is an error', () => {
  const packed = packArchive(archive);
  const damaged = Buffer.from(packed);
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  expect(() => unpackArchive(damaged)).toThrow('incorrect data check');
  const foreign = Buffer.from(packed);
  foreign[3] = (foreign[3] ?? 0) ^ 1;
  expect(() => unpackArchive(foreign)).toThrow('a dictionary that is not known');
  expect(() => unpackArchive(Buffer.from('no archive'))).toThrow('a dictionary that is not known');
});
