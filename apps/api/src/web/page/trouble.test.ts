import { expect, test } from '@jest/globals';
import { ConnectionError, ProblemError } from '@bunri/client';
import { failure, failureCodes } from '@bunri/queue-contracts';
import { pageError, troubleOf, troubleOfFailure, troubleText } from './trouble.ts';
import { words } from './words.ts';

test.each(failureCodes)('%s is told in both languages, in words of its own kind', (code) => {
  const trouble = troubleOfFailure({ id: 'req_1', status: 'failed', error: failure(code, 'In the server’s words.') });
  const texts = [troubleText(trouble, words.ko), troubleText(trouble, words.en)];
  expect(trouble.advice).not.toBe('unknown');
  expect(texts.join(' ')).not.toContain('In the server’s words.');
  expect(texts[0]).toMatch(/[가-힣]/);
  expect(texts[1]).not.toMatch(/[가-힣]/);
});

test('what the page knows no words for is told in the server’s, with the reference for support', () => {
  const facts = { status: 409, code: 'brand_new', title: 'New', detail: 'Do this.', retryAfterMs: null, errors: [] };
  const trouble = troubleOf(new ProblemError({ ...facts, requestId: 'r-7' }));
  expect(troubleText(trouble, words.en)).toContain('Do this.');
  expect(trouble.reference).toBe('r-7');
  expect(troubleOf(new ConnectionError('away'))).toMatchObject({ advice: 'connection', reference: null });
});

test('a mistake of the page itself is told, too, and not as trouble of the connection', () => {
  expect(troubleOf(new TypeError('undefined is not a function'))).toMatchObject({ code: pageError, advice: 'ours' });
});

test('a failure without a cause is one of ours, and a canceled request is told as such', () => {
  expect(troubleOfFailure({ id: 'req_1', status: 'failed', error: null }).advice).toBe('ours');
  expect(troubleOfFailure({ id: 'req_1', status: 'canceled', error: null }).advice).toBe('canceled');
});
