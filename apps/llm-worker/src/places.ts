import { matchedPlace, placePattern, type Place } from './place-words.ts';
import { sentencesOf } from './sentences.ts';

/** A place that a text names as where something goes, or does not go. */
export interface Mention {
  readonly place: Place;
  readonly words: string;
  readonly isNegated: boolean;
}

interface Found {
  readonly place: Place;
  readonly words: string;
  readonly start: number;
  readonly end: number;
}

/** The bins and streams that a text names as the place, in either language, sentence by sentence. */
export function mentionedPlaces(text: string): Mention[] {
  return sentencesOf(text.normalize('NFC')).flatMap((sentence) => [
    ...withPolarity(find(sentence, 'ko'), (found, i, all) => koreanPolarity(sentence, found, all[i + 1]), 'backwards'),
    ...withPolarity(find(sentence, 'en'), (found, i, all) => englishPolarity(sentence, found, all[i - 1]), 'forwards'),
  ]);
}

/** No place is named without these. */
const letters = { ko: /[가-힣]/u, en: /[a-z]{3}/iu } as const;

function find(sentence: string, language: 'ko' | 'en'): Found[] {
  // The expressions of the places are long, and most sentences are in one language alone.
  if (!letters[language].test(sentence)) return [];
  const pattern = placePattern[language];
  const found: Found[] = [];
  // Not matchAll: it makes another expression each time, and compiles that once more where memory was cleared since.
  pattern.lastIndex = 0;
  for (let match = pattern.exec(sentence); match !== null; match = pattern.exec(sentence)) {
    const place = matchedPlace(match.groups ?? {});
    const [words] = match;
    if (place !== undefined) found.push({ place, words, start: match.index, end: match.index + words.length });
  }
  return found;
}

/** In a list (종이류나 비닐류로, paper or glass) one negation stands for all: at its end in Korean, before it in English. */
function withPolarity(
  all: readonly Found[],
  polarity: (found: Found, i: number, all: readonly Found[]) => boolean | 'as neighbour',
  direction: 'backwards' | 'forwards',
): Mention[] {
  const own = all.map(polarity);
  const step = direction === 'backwards' ? 1 : -1;
  const resolve = (i: number): boolean => {
    const said = own[i];
    return said === 'as neighbour' ? resolve(i + step) : said === true;
  };
  return all.map(({ place, words }, i) => ({ place, words, isNegated: resolve(i) }));
}

const koreanJoint = /^(?: ?(?:이나|나|와|과|랑|도|및|또는|혹은|이든|든|,|·|다른|수거함|전용))+ ?$/u;
const koreanClause = /^.*?(?:[가-힣](?:고|며|지만|는데|니까|므로) |, )/u;
const koreanNegation =
  /지 ?(?:말|마|않|못)|안 ?(?:돼|되|됩|된)|아니|아닙|아닌|수 없|못 |금지|제외|불가|구분|불이 |막히|막힙|위험|^ ?대신/u;
/** How something is put there, which says nothing against the place. */
const koreanManner = /[가-힣]+지 ?(?:않게|않도록)/gu;

const koreanRole = /^(?:에|으로|로)/u;

function koreanPolarity(sentence: string, { end }: Found, next: Found | undefined): boolean | 'as neighbour' {
  const tail = sentence.slice(end, next?.start);
  if (next && koreanJoint.test(tail)) return 'as neighbour';
  const clause = koreanClause.exec(tail)?.[0] ?? tail;
  return koreanNegation.test(koreanRole.test(clause) ? clause.replaceAll(koreanManner, '') : clause);
}

const englishJoint = /^[\s,]*(?:(?:or|and|nor)\b)?\s*(?:(?:with|in|into|as|the|other|your|a)\b\s*)*$/iu;
/** The end of a list whose beginning names no place. */
const englishList = /,\s*(?:(?:the|a|your) )?[\w-]+(?: [\w-]+)?,? (?:or|and|nor) (?:(?:the|a|your|with|in|into) )*$/iu;
const englishClause = /^.*(?:[,;:–—]|\b(?:but|so|and|then)\b)/iu;
const englishNegation =
  /\b(?:not|never|no|neither|nor|cannot|rather than|instead of|avoid|apart from|out of|too \w+ (?:for|to))\b|n['’]t\b/iu;
/** The last verb that puts the thing somewhere: what is negated further before it is something else. */
const lastVerb = /^(.*)\b(?:goes|go|puts?|use|belongs?|counts?|mix|throw|sort|discard|report|is|are)\b(.*)$/iu;
const behindOr = /\bor $/iu;
const negatedVerb = /(?:\b(?:not|never|cannot|or)|n['’]t)(?: (?:ever|be|just))? $/iu;
const negatedPlace =
  /^ (?:not|no|never)\b|\b(?:neither|nor|not (?:with|in|into|as)|out of|instead of|rather than|apart from|too \w+ (?:for|to))\b/iu;

function englishPolarity(sentence: string, { start }: Found, previous: Found | undefined): boolean | 'as neighbour' {
  const between = sentence.slice(previous?.end ?? 0, start);
  const isListed = englishList.test(between);
  if (previous && (isListed || englishJoint.test(between))) return 'as neighbour';
  const head = (isListed ? between.replace(englishList, '') : between).replace(englishClause, '');
  const [, before, after] = lastVerb.exec(head) ?? [];
  if (before === undefined || after === undefined) return englishNegation.test(head);
  if (behindOr.test(before)) return englishNegation.test(head);
  return negatedVerb.test(before) || negatedPlace.test(after);
}
