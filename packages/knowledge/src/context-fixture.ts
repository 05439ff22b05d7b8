import type { Classification, Condition } from '@bunri/queue-contracts';
import { buildContext, type ContextRequest } from './context.ts';

export const unseen: Condition = { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown' };
export const dirtyBottle: Condition = { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' };

/** What vision says of a clear bottle. */
export function classified(over: Partial<Classification> = {}): Classification {
  return {
    waste_category: 'recyclable',
    subcategory: '무색페트병',
    item_id: 'clear-pet-bottle',
    item_name: '무색(투명) 페트병',
    confidence: 0.9,
    condition: dirtyBottle,
    engine: { provider: 'simulator', model: 'vision-1' },
    ...over,
  };
}

/** The context of a request about that, in which everything may differ. */
export function context(
  over: Partial<Classification> = {},
  question = '이거 어떻게 버려요?',
  { locale = 'ko', tokenBudget = 600 }: Partial<Pick<ContextRequest, 'locale' | 'tokenBudget'>> = {},
) {
  return buildContext({ classification: classified(over), question, locale, tokenBudget });
}

/** The rules in it, in order. */
export const ids = (...args: Parameters<typeof context>) => context(...args).sentences.map(({ rule_id }) => rule_id);
