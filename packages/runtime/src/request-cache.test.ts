import { expect, test } from '@jest/globals';
import { answerModels, requestCacheKey, type AnswerSettings } from './request-cache.ts';

const settings: AnswerSettings = {
  OPENAI_BASE_URL: undefined,
  VISION_MODEL: 'gpt-5',
  VISION_REASONING_EFFORT: undefined,
  LLM_MODEL: 'gpt-4o-mini',
  CONTEXT_TOKEN_BUDGET: 800,
};

function keyUnder(given: AnswerSettings): string {
  const { vision, llm } = answerModels(given);
  return requestCacheKey({
    sha256: 'a'.repeat(64),
    question: 'How?',
    locale: 'en',
    visionModel: vision,
    llmModel: llm,
  });
}

test.each<[string, Partial<AnswerSettings>]>([
  ['provider', { OPENAI_BASE_URL: 'https://models.example.com/v1' }],
  ['vision model', { VISION_MODEL: 'gpt-4o' }],
  ['effort', { VISION_REASONING_EFFORT: 'low' }],
  ['language model', { LLM_MODEL: 'gpt-4o' }],
  ['amount of rules', { CONTEXT_TOKEN_BUDGET: 400 }],
])('an answer of another %s is not found', (_, other) => {
  expect(keyUnder({ ...settings, ...other })).not.toBe(keyUnder(settings));
});

test('the same settings find the same answer, whichever app has them', () => {
  const { VISION_MODEL, LLM_MODEL, CONTEXT_TOKEN_BUDGET } = settings;
  const elsewhere = { PORT: 8080, CONTEXT_TOKEN_BUDGET, LLM_MODEL, VISION_MODEL };
  expect(keyUnder(elsewhere)).toBe(keyUnder(settings));
});
