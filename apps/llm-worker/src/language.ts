import type { Locale } from '@bunri/queue-contracts';
import { sentencesOf } from './sentences.ts';

/** Names of materials, brands and marks stay in their own script. */
const leastShare = { ko: 0.5, en: 0.7 } as const satisfies Record<Locale, number>;
const letter = /\p{L}/gu;
const script = { ko: /\p{Script=Hangul}/gu, en: /\p{Script=Latin}/gu } as const satisfies Record<Locale, RegExp>;

/** What every English text of some length has, and no other language that is written in Latin letters. */
const englishWords =
  /\b(?:the|it|its|is|are|be|and|or|to|you|your|with|as|this|that|some|not|of|put|if|do|for|from|by|at|than|out|ask|has|have|can|may|must|will|more|many|any|another|into|off|too|until|before|after|unlike|separately|without|wrap|rinse|remove)\b/iu;
const fewWords = 4;
const space = /\s+/u;

/** Plain and intimate endings of a Korean sentence, none of which is a noun's. */
const koreanImpolite =
  /(?:(?<!니)다|[가-힣](?:해|돼|려|줘)|(?:하|되|넣|버리)지 ?마|이야|거야|어라|아라|거라|[하버]려라)$/u;
const inBrackets = /\([^)]*\)/gu;
const behindLast = /[^\p{L}\p{N}]+$/u;
const koreanPolite = /(?:요|니다|니까|죠|시오)$/u;

/** Whether a text reads as the language that was asked for; a text of few letters always does. */
export function isWrittenIn(locale: Locale, text: string): boolean {
  const letters = text.match(letter)?.length ?? 0;
  if (letters < 4) return true;
  const own = text.match(script[locale])?.length ?? 0;
  if (own / letters < leastShare[locale]) return false;
  return locale === 'ko' || text.split(space).length <= fewWords || englishWords.test(text);
}

/** Whether a Korean text is polite: some sentence says so by its ending, and none says the contrary. */
export function isPolite(text: string): boolean {
  const ends = sentencesOf(text).map((sentence) => sentence.replaceAll(inBrackets, '').replace(behindLast, ''));
  return ends.some((end) => koreanPolite.test(end)) && !ends.some((end) => koreanImpolite.test(end));
}
