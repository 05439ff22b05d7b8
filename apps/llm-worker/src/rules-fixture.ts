import type { Classification, Context, ContextSentence } from '@bunri/queue-contracts';
import { rulesOnlyGuidance, type RulesTask } from './rules-guidance.ts';

export const sentence = (rule_id: string, kind: ContextSentence['kind'], text: string): ContextSentence => ({
  rule_id,
  kind,
  text,
  version: '2023',
});
export const rinse = sentence('food-can/rinse', 'step', '내용물을 비우고 헹구세요.');
export const bin = sentence('food-can/bin', 'step', '캔 수거함에 넣으세요.');
export const lid = sentence('food-can/lid', 'condition', '플라스틱 뚜껑이 있으면 떼어 플라스틱류로 내놓으세요.');
export const dirty = sentence('food-can/dirty', 'condition', '굳은 음식이 묻어 있으면 불려 씻은 뒤 내놓으세요.');
export const gas = sentence('food-can/gas', 'prohibition', '가스가 남은 용기는 내놓지 마세요.');

export const classification: Classification = {
  waste_category: 'recyclable',
  subcategory: '금속캔',
  item_id: 'food-can',
  item_name: '통조림 캔',
  confidence: 0.9,
  condition: { cap: 'on', rinsed: 'no', contamination: 'light', label: 'none' },
  engine: { provider: 'openai', model: 'gpt-5' },
};
export const context: Context = {
  item_id: 'food-can',
  item_name: '통조림 캔',
  match: 'id',
  candidates: [],
  sentences: [rinse, bin, lid, dirty, gas],
  catalogue_version: 'v1',
  tokens: 60,
};
export type Condition = Classification['condition'];
export const inCondition = (condition: Partial<Condition>) => ({
  ...classification,
  condition: { ...classification.condition, ...condition },
});
export const guide = (over: Partial<RulesTask> = {}) =>
  rulesOnlyGuidance({ classification, context, locale: 'ko', question: '', ...over });

/** A greasy pizza box and a receipt, as the rules have them. */
export const box = {
  ko: {
    where: sentence('pizza-box/where', 'step', '납작하게 접어 종이류로 내놓으세요.'),
    tape: sentence('pizza-box/tape', 'step', '테이프를 떼세요.'),
    greasy: sentence('pizza-box/greasy', 'condition', '기름이 배었으면 종량제봉투에 넣으세요.'),
  },
  en: {
    where: sentence('pizza-box/where', 'step', 'Fold it flat and put it out with paper.'),
    tape: sentence('pizza-box/tape', 'step', 'Take off the tape.'),
    greasy: sentence('pizza-box/greasy', 'condition', 'If grease has soaked in, use the standard garbage bag.'),
  },
} as const;
export const greasyBox = (locale: 'ko' | 'en'): Context => ({
  ...context,
  item_id: 'pizza-box',
  item_name: locale === 'ko' ? '피자 상자' : 'Pizza box',
  outcome: { waste_category: 'general', subcategory: '일반종량제', rule_id: 'pizza-box/greasy' },
  sentences: [box[locale].where, box[locale].tape, box[locale].greasy],
});
export const paper = { ...classification, subcategory: '종이류' };
export const receipt: Context = {
  ...context,
  item_id: 'receipt',
  item_name: '영수증',
  outcome: { waste_category: 'general', subcategory: '일반종량제', rule_id: null },
  sentences: [
    { ...sentence('receipt/bag', 'step', '종량제봉투에 넣으세요.'), asked: true },
    { ...sentence('receipt/thermal', 'prohibition', '약품이 발린 감열지이므로 종이류로 내놓지 마세요.'), asked: true },
  ],
};
