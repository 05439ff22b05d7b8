import { asData } from '@bunri/engines';
import type { Locale } from '@bunri/queue-contracts';
import type { GuidanceTask } from './prompt.ts';

const questionLimit = 1000;
const itemNameLimit = 60;
const languages = { ko: 'Korean (polite 해요체)', en: 'English' } as const satisfies Record<Locale, string>;

/** The lines of a task that every version of the prompt has; what strangers wrote is fenced as data. */
export function languageLine({ locale }: GuidanceTask): string {
  return `Language: ${languages[locale]}`;
}

export function itemLine({ context }: GuidanceTask): string {
  return `Thing: <item>${asData(context.item_name, itemNameLimit)}</item>`;
}

export function ruleLines({ context }: GuidanceTask): string[] {
  return ['Rules:', ...context.sentences.map(({ rule_id, text }) => `[rule:${rule_id}] ${text}`)];
}

export function questionLine({ question }: GuidanceTask): string {
  return `<question>${asData(question, questionLimit)}</question>`;
}
