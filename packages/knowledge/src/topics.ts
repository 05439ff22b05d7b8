import type { WordLists } from './schema.ts';
import { allStems, normalise } from './words.ts';

/**
 * The topics that a question touches. Korean words are found as parts of the text, since endings change (떼야, 떼고,
 * 떼면); English ones as whole words, phrases as they stand.
 */
export function questionTopics(question: string, topics: Readonly<Record<string, WordLists>>): Set<string> {
  const text = normalise(question);
  const compact = text.replaceAll(/\s/g, '');
  const stems = new Set(allStems(question));
  const english = (word: string) =>
    word.includes(' ') || word.includes('-') ? text.includes(word) : allStems(word).some((each) => stems.has(each));
  return new Set(
    Object.entries(topics)
      .filter(
        ([, words]) => words.ko.some((word) => compact.includes(word.replaceAll(/\s/g, ''))) || words.en.some(english),
      )
      .map(([topic]) => topic),
  );
}
