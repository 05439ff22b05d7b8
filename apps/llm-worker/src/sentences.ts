/** A point that ends no sentence: of an abbreviation, or behind the number of an item in a list. */
const noEnd = /(?:^|[\s(])(?:e\.g|i\.e|etc|vs|No|approx|\d{1,2})\.$/iu;

const ends = /(?<=[.!?。…]["'”’)\]]*)\s+|\n+/u;

/** The sentences of a text; a line break ends one too. Blank ones are left out. */
export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  let current = '';
  for (const piece of text.split(ends)) {
    current = `${current} ${piece}`.trim();
    if (noEnd.test(current)) continue;
    sentences.push(current);
    current = '';
  }
  return [...sentences, current].filter((sentence) => sentence !== '');
}
