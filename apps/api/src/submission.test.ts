import { describe, expect, test } from '@jest/globals';
import type { ImageSource } from '@bunri/queue-contracts';
import { sha256 } from '@bunri/runtime';
import { parseInput } from './problem.ts';
import { formSchema, preferredWaitS, termsLike, toIdempotency, toSubmission, type Submission } from './submission.ts';

describe('seconds to wait of a Prefer header', () => {
  test.each([
    [undefined, 0],
    ['', 0],
    ['wait=10', 10],
    ['wait = "10"', 10],
    ['respond-async, wait=30', 30],
    ['WAIT=5, handling=lenient', 5],
    ['wait=3600', 60],
    ['await=10', 0],
    ['wait=-1', 0],
    ['wait=soon', 0],
    ['wait=1.5', 0],
  ])('%s is %d', (header, seconds) => {
    expect(preferredWaitS(header)).toBe(seconds);
  });
});

describe('defaults', () => {
  test('an empty question is the default one, in the language of the answer', () => {
    expect(toSubmission(parseInput(formSchema, { question: '  ' })).question).toContain('분리배출');
    expect(toSubmission(parseInput(formSchema, { locale: 'en' })).question).toBe('How do I dispose of this item?');
  });
  test.each([
    [{}, 120_000],
    [{ priority: 'batch' }, 86_400_000],
    [{ deadline: '5' }, 5_000],
    [{ priority: 'batch', deadline: '3600' }, 3_600_000],
  ])('the deadline of %j is %d ms away', (fields, deadlineMs) => {
    expect(toSubmission(parseInput(formSchema, fields)).deadlineMs).toBe(deadlineMs);
  });
  test.each([
    { deadline: '4' },
    { deadline: '601' },
    { deadline: 'soon' },
    { deadline: '7.5' },
    { priority: 'urgent' },
  ])('%j is refused', (fields) => {
    expect(() => parseInput(formSchema, fields)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('the fingerprint of an idempotency key', () => {
  const submission: Submission = { question: 'a', locale: 'ko', priority: 'interactive', deadlineMs: 1 };
  const upload: ImageSource = { kind: 'upload', key: 'uploads/1', sha256: 'a'.repeat(64), sizeBytes: 1 };
  const print = (change: Partial<Submission>, source: ImageSource = upload) =>
    toIdempotency('key', { ...submission, ...change }, source)?.fingerprint;

  test('is the same for the same photo under another object key', () => {
    expect(print({}, { ...upload, key: 'uploads/2' })).toBe(print({}));
  });
  test('is the same whatever order metadata stand in, and as before where there is nothing new', () => {
    expect(print({ metadata: { a: '1', b: '2' } })).toBe(print({ metadata: { b: '2', a: '1' } }));
    const before = ['POST', '/v1/classifications', 'upload', 'a'.repeat(64), 'a', 'ko', 'interactive', 1];
    expect(print({})).toBe(sha256(JSON.stringify(before)));
  });
  test('differs with everything that decides the request', () => {
    const prints = [
      print({}),
      print({ question: 'b' }),
      print({ locale: 'en' }),
      print({ priority: 'batch' }),
      print({ deadlineMs: 2 }),
      print({}, { ...upload, sha256: 'b'.repeat(64) }),
      print({}, { kind: 'url', url: 'https://example.com/' }),
      print({}, { kind: 'object', key: 'uploads/1', sizeBytes: 1, etag: '"1"' }),
      print({}, { kind: 'object', key: 'uploads/1', sizeBytes: 1, etag: '"2"' }),
      print({ models: ['gpt-5'] }),
      print({ models: ['gpt-5', 'local'] }),
      print({ region: '부산' }),
      print({ metadata: { a: 'b' } }),
      print({ webhookUrl: 'https://example.com/hook' }),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });
});

test('a request like another has as much time, but not what an operator added to it', () => {
  const like = (priority: 'interactive' | 'batch', seconds: number) =>
    termsLike({
      id: `req_${'0'.repeat(32)}`,
      owner: 'ann',
      question: '',
      locale: 'ko',
      source: { kind: 'url', url: 'https://example.com/a.jpg' },
      priority,
      createdAt: 1_000,
      deadlineAt: 1_000 + seconds * 1000,
    }).deadlineMs;
  expect(like('interactive', 90)).toBe(90_000);
  expect(like('interactive', 3600)).toBe(600_000);
  expect(like('batch', 3600)).toBe(3_600_000);
  expect(like('batch', 7 * 86_400)).toBe(86_400_000);
});
