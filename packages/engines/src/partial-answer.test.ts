import { expect, test } from '@jest/globals';
import { partialAnswer } from './partial-answer.ts';

test.each([
  ['', ''],
  ['{', ''],
  ['{"ans', ''],
  ['{"answer":', ''],
  ['{"answer":"', ''],
  ['{"answer":"Rinse', 'Rinse'],
  ['{"answer":"Rinse it.","steps":[{"text":"Ri', 'Rinse it.'],
  ['{"steps":[],"answer":"Ri', 'Ri'],
  ['{"nested":{"answer":"no"},"answer":"yes', 'yes'],
  ['{"answer":null', ''],
  ['{"answer":["no"]', ''],
  ['["answer"]', ''],
  ['Sure! Here is', ''],
  ['{"answer" "no colon', ''],
])('%s gives "%s"', (json, text) => {
  expect(partialAnswer(json)).toBe(text);
});

test.each([
  ['plain Korean', JSON.stringify({ answer: '라벨을 떼고 헹궈서 버립니다.', steps: [{ text: 'x', rule_ids: ['a'] }] })],
  ['escapes', JSON.stringify({ answer: 'say "no"\n\t\\ to \\u12 and \\\\', confidence: 0.95, ok: true, none: null })],
  ['characters outside the basic plane', JSON.stringify({ answer: 'a♻️b🧴🥤c', warnings: ['🧪'] })],
  ['escaped surrogates', '{"answer":"a\\ud83e\\uddf4b\\u00e9\\/","steps":[]}'],
  ['the answer last', JSON.stringify({ steps: [], n: -1.5e3, answer: 'end\\' })],
])('%s: the text grows at its end alone, whatever the place where the document is cut', (_name, json) => {
  const document: unknown = JSON.parse(json);
  const whole = (document as { answer: string }).answer;
  let before = '';
  for (let length = 0; length <= json.length; length += 1) {
    const text = partialAnswer(json.slice(0, length));
    expect(text.startsWith(before)).toBe(true);
    expect(whole.startsWith(text)).toBe(true);
    expect(text).not.toMatch(/[\uD800-\uDBFF]$/);
    before = text;
  }
  expect(before).toBe(whole);
});
