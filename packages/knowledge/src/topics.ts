import type { WordLists } from './schema.ts';
import { allStems, normalise } from './words.ts';

const space = /\s/g;

/** The topics that a question touches. */
export type TopicReader = (question: string) => Set<string>;

/**
 * Reads the topics of a question. Korean words are found as parts of the text, since endings change (떼야, 떼고, 떼면);
 * English ones as whole words, phrases as they stand. The words are prepared once: there are hundreds of them.
 */
export function makeTopicReader(topics: Readonly<Record<string, WordLists>>): TopicReader {
  const prepared = Object.entries(topics).map(([topic, { ko, en }]) => {
    const isPhrase = (word: string) => word.includes(' ') || word.includes('-');
    return {
      topic,
      parts: ko.map((word) => word.replaceAll(space, '')),
      phrases: en.filter(isPhrase),
      words: en.filter((word) => !isPhrase(word)).flatMap(allStems),
    };
  });
  return (question) => {
    const text = normalise(question);
    const compact = text.replaceAll(space, '');
    const stems = new Set(allStems(question));
    const touched = prepared.filter(
      ({ parts, phrases, words }) =>
        parts.some((part) => compact.includes(part)) ||
        phrases.some((phrase) => text.includes(phrase)) ||
        words.some((word) => stems.has(word)),
    );
    return new Set(touched.map(({ topic }) => topic));
  };
}
