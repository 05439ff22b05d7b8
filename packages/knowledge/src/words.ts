/** Korean particles that may follow a one-syllable noun (약은, 책을). */
const particles = new Set(['은', '는', '이', '가', '을', '를', '도', '만', '의', '에', '로', '과', '와', '랑']);

/** Words of English questions that say nothing about the thing; without its verb use, "can" stays a thing of metal. */
const stopWords = new Set(
  'a an the this that these those it its my your of to in on for with and or is are was be do does should must how what where which when i we you they throw away dispose discard put out go goes into from at'.split(
    ' ',
  ),
);
const modalCan = /\b(?:how|where|what)?\s*can (?=(?:i|you|we|it|this|that|these|those|they|be|the|my)\b)/g;

export function normalise(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/** Hangul of a text in one run, so that 우유 팩 and 우유팩 are the same. */
function hangulOnly(text: string): string {
  return normalise(text).replaceAll(/[^가-힣]/g, '');
}

/** Plural endings come off: bottles → bottle, batteries → battery, boxes → box. */
export function stem(word: string): string {
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  if (word.length > 4 && /(?:ss|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2);
  if (word.length > 3 && word.endsWith('s') && !/(?:ss|us|is)$/.test(word)) return word.slice(0, -1);
  return word;
}

/** Stems of all Latin words and numbers of a text. */
export function allStems(text: string): string[] {
  return (normalise(text).match(/[a-z0-9]+/g) ?? []).map(stem);
}

/** Stems of the Latin words and numbers of a text, without stop words. */
export function latinStems(text: string): string[] {
  const words =
    normalise(text)
      .replaceAll(modalCan, ' ')
      .match(/[a-z0-9]+/g) ?? [];
  return words.filter((word) => !stopWords.has(word)).map(stem);
}

function bigrams(run: string): string[] {
  return Array.from({ length: Math.max(0, run.length - 1) }, (_, index) => run.slice(index, index + 2));
}

/** What is looked up of a name: Hangul bigrams (a one-syllable name is its own token) and Latin stems. */
export function nameTokens(name: string): string[] {
  const run = hangulOnly(name);
  const hangul = run.length === 1 ? [run] : bigrams(run);
  return [...new Set([...hangul, ...latinStems(name)])];
}

interface QueryTokens {
  /** Bigrams within a word, and Latin stems. */
  readonly words: ReadonlySet<string>;
  /** One-syllable words, with or without a particle, and short neighbours joined (감 씨, 감씨; power bank, powerbank). */
  readonly variants: ReadonlySet<string>;
  /** Bigrams across a space: they make 우유 팩 the same as 우유팩, but are no word alone (이거 울퉁불퉁 has no 거울). */
  readonly across: ReadonlySet<string>;
}

/** What is looked up of a question. */
export function queryTokens(text: string): QueryTokens {
  const words = normalise(text).match(/[가-힣]+/g) ?? [];
  const stems = latinStems(text);
  const syllables = words
    .filter((word) => word.length === 1 || (word.length === 2 && particles.has(word.slice(1))))
    .map((word) => word.slice(0, 1));
  const inside = new Set([...words.flatMap(bigrams), ...stems]);
  const joined = neighbours(words)
    .filter((pair) => pair.length === 2)
    .concat(neighbours(stems));
  const across = bigrams(words.join('')).filter((bigram) => !inside.has(bigram) && !joined.includes(bigram));
  return { words: inside, variants: new Set([...syllables, ...joined]), across: new Set(across) };
}

function neighbours(words: readonly string[]): string[] {
  return words.slice(1).map((word, index) => `${words[index]}${word}`);
}
