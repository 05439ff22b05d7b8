import type { Clarification, Locale } from '@bunri/queue-contracts';
import type { Item } from './schema.ts';

const optionLimit = 5;
const questions = {
  ko: '버리려는 물건이 다음 중 어느 것인가요?',
  en: 'Which of these is the thing that you want to discard?',
} as const satisfies Record<Locale, string>;

/**
 * The question by which the person decides what the thing is: two to five items, likeliest first. Undefined where they all
 * go the same way, since the answer would change nothing.
 */
export function clarify(doubts: readonly Item[], locale: Locale): Clarification | undefined {
  const options = doubts.slice(0, optionLimit);
  const ways = new Set(options.map(({ wasteCategory, subcategory }) => `${wasteCategory}/${subcategory}`));
  if (ways.size < 2) return undefined;
  return {
    question: questions[locale],
    options: options.map(({ id, names, wasteCategory, subcategory }) => ({
      item_id: id,
      label: names[locale],
      waste_category: wasteCategory,
      subcategory,
    })),
  };
}
