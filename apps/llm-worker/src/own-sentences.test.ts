import { expect, test } from '@jest/globals';
import type { ContextSentence, Outcome } from '@bunri/queue-contracts';
import { leadsElsewhere, ownSentences } from './own-sentences.ts';

const general: Outcome = { waste_category: 'general', subcategory: '일반종량제', rule_id: null };
const paper: Outcome = { waste_category: 'recyclable', subcategory: '종이류', rule_id: null };
const rule = (kind: ContextSentence['kind'], text: string): ContextSentence => ({
  rule_id: `receipt/${kind}`,
  version: '2023',
  kind,
  text,
});
const kept = (sentence: ContextSentence, question: string, outcome: Outcome | undefined = general) =>
  ownSentences([sentence], { outcome, question, itemName: '영수증' }).map(({ text }) => text);

const other = rule('confusion', '복사지에 인쇄한 명세서는 종이류로 내놓습니다.');
const refusal = rule('prohibition', '감열지이므로 종이류로 내놓지 마세요.');
const local = rule('exception', '깨끗한 랩은 비닐류로 받는 지역도 있습니다.');
const possible = rule('exception', '비닐을 떼어 낼 수 있으면 종이류로 내놓을 수 있습니다.');

test('where another thing goes is left out, unless the question names that thing too', () => {
  expect(kept(other, '영수증은 종이죠?')).toEqual([]);
  expect(kept(other, '영수증이랑 명세서는 종이죠?')).toEqual([other.text]);
  const english = rule('confusion', 'Statements printed on plain copy paper go with paper.');
  expect(kept(english, 'Can a receipt go with paper?')).toEqual([]);
});

test('the thing itself, named in such a sentence, is no other thing', () => {
  expect(kept(rule('confusion', '복사지에 인쇄한 영수증은 종이류로 내놓습니다.'), '영수증은 종이죠?')).toEqual([]);
});

test('only the sentence that leads elsewhere is left out of a rule of several', () => {
  const two = rule('confusion', `영수증은 감열지입니다. ${other.text}`);
  expect(kept(two, '영수증은 종이죠?')).toEqual(['영수증은 감열지입니다.']);
});

test('that something must not go there, and what some regions do, stays', () => {
  expect(kept(refusal, '영수증은 종이죠?')).toEqual([refusal.text]);
  expect(kept(local, '랩은 비닐이죠?')).toEqual([local.text]);
});

test('another condition leads from a bin to recycling only where it was asked for and is possible', () => {
  expect(kept(possible, '어디에 버려요?')).toEqual([]);
  expect(kept({ ...possible, asked: true }, '어디에 버려요?')).toEqual([possible.text]);
  expect(leadsElsewhere(possible, general)).toBe(true);
  expect(leadsElsewhere(possible, paper)).toBe(false);
});

test('what is too dirty for recycling is told of what is recycled', () => {
  const greasy = rule('condition', '기름이 배었으면 종량제봉투에 넣으세요.');
  expect(kept(greasy, '어디에 버려요?', paper)).toEqual([greasy.text]);
});
