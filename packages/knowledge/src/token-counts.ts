import { locales, type Locale } from '@bunri/queue-contracts';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { Names } from './schema.ts';

/**
 * Tokens (o200k_base) of a rule as the guidance prompt quotes it: `[rule:<id>] <text>` and a line break. Needs the 2 MB
 * vocabulary, and is therefore done ahead of time and not by a process that answers.
 */
export function countRule({ id, text }: { id: string; text: Names }): [ko: number, en: number] {
  const count = (locale: Locale) => countTokens(`[rule:${id}] ${text[locale]}\n`);
  const [ko, en] = locales.map(count);
  return [ko ?? 0, en ?? 0];
}
