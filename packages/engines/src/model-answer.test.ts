import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { readAnswer } from './model-answer.ts';

const schema = z.object({ answer: z.string().min(1) });
const own = 'http://model.internal:8000/v1';
const textOf = (text: string) => [{ type: 'message', content: [{ type: 'output_text', text }] }];
const response = {
  model: 'local-7b',
  status: 'completed',
  output: textOf('{"answer":"yes"}'),
  usage: { input_tokens: 10, output_tokens: 5 },
};
const read = (answer: unknown, baseUrl = own) => readAnswer(answer, schema, baseUrl, 0);

test('the items that a model puts before its message are passed over', () => {
  const output = [{ type: 'reasoning', summary: [] }, ...response.output];
  expect(read({ ...response, output }).value).toEqual({ answer: 'yes' });
});

test.each([
  ['local-7b', own, 'openai-compatible'],
  ['gpt-5', 'https://api.openai.com/v1', 'openai'],
  ['gpt-5', 'https://eu.api.openai.com/v1', 'openai'],
  ['gpt-5', 'https://api.openai.com.example.org/v1', 'openai-compatible'],
  ['simulator/gpt-5', 'https://api.openai.com/v1', 'simulator'],
])('the model %s of %s is answered by the provider %s', (model, baseUrl, provider) => {
  expect(read({ ...response, model }, baseUrl).engine).toEqual({ provider, model });
});

test('no more tokens are counted as cached than there are', () => {
  const usage = { ...response.usage, input_tokens_details: { cached_tokens: 99 } };
  expect(read({ ...response, usage }).tokens).toEqual({ input: 10, cachedInput: 10, output: 5 });
});

test.each([
  ['is no response', { object: 'list' }],
  ['is text', 'welcome to nginx'],
  ['tells no tokens', { ...response, usage: null }],
  ['is not finished', { ...response, status: 'in_progress' }],
  ['says nothing', { ...response, output: [] }],
  ['says something that is not JSON', { ...response, output: textOf('secret words') }],
  ['says JSON of another shape', { ...response, output: textOf('{"answer":7,"secret":1}') }],
])('an answer that %s is invalid output, and is not quoted', (_name, answer) => {
  const failure = expect.objectContaining({
    name: 'TransientError',
    code: 'model_output_invalid',
    message: expect.not.stringMatching(/secret|nginx/),
  });
  expect(() => read(answer)).toThrow(failure);
});
