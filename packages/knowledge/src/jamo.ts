/** Hangul syllables from U+AC00 on are numbered onset × 588 + vowel × 28 + coda (Unicode, chapter 3.12). */
const [first, codas, vowels] = [0xac00, 28, 21];
const onsets = 'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ';
const vowelNames = 'ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ';
/** Vowels that are pronounced alike today, so that people mix them up. */
const alike = { ㅐ: 'ㅔ', ㅒ: 'ㅔ', ㅖ: 'ㅔ', ㅙ: 'ㅚ', ㅞ: 'ㅚ', ㅛ: 'ㅗ' };
/** After ㅅ, ㅈ and ㅊ a y-vowel sounds as the plain one: 쥬스, 주스. */
const plain = { ㅑ: 'ㅏ', ㅕ: 'ㅓ', ㅠ: 'ㅜ' };

const numbered = (pairs: Record<string, string>) =>
  new Map(Object.entries(pairs).map(([from, to]) => [vowelNames.indexOf(from), vowelNames.indexOf(to)]));
const [alikeVowels, plainVowels] = [numbered(alike), numbered(plain)];
const sibilants = new Set(['ㅅ', 'ㅆ', 'ㅈ', 'ㅉ', 'ㅊ'].map((onset) => onsets.indexOf(onset)));

const syllables = 11_172;
/** The folded form of each syllable; 0 until it is first met. */
const folded = new Uint16Array(syllables);

/** A text with every group of easily confused vowels written as one of them: the key by which spellings are compared. */
export function fold(text: string): string {
  let answer = '';
  let copied = 0;
  for (let at = 0; at < text.length; at++) {
    const syllable = text.charCodeAt(at);
    const number = syllable - first;
    if (number < 0 || number >= syllables) continue;
    const known = (folded[number] ||= foldSyllable(number));
    if (known === syllable) continue;
    answer += text.slice(copied, at) + String.fromCharCode(known);
    copied = at + 1;
  }
  return copied === 0 ? text : answer + text.slice(copied);
}

function foldSyllable(number: number): number {
  const onset = Math.floor(number / (vowels * codas));
  const written = Math.floor(number / codas) % vowels;
  const vowel = alikeVowels.get(written) ?? (sibilants.has(onset) ? plainVowels.get(written) : undefined) ?? written;
  return first + (onset * vowels + vowel) * codas + (number % codas);
}

/** The single letters of a text: 병 is ㅂ, ㅕ, ㅇ. Length counts letters. */
export function jamo(text: string): string {
  return text.normalize('NFD');
}

/** True where one letter added, left out, replaced, or swapped with its neighbour makes one word of the other. */
export function isOneSlip(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let start = 0;
  while (start < short.length && short[start] === long[start]) start++;
  if (short.length < long.length) return short.slice(start) === long.slice(start + 1);
  if (short.slice(start + 1) === long.slice(start + 1)) return true;
  return (
    short[start] === long[start + 1] &&
    short[start + 1] === long[start] &&
    short.slice(start + 2) === long.slice(start + 2)
  );
}

/** Words by their first and their last letters: one slip leaves at least one of the two as it was. */
export interface Spellings {
  readonly words: readonly string[];
  /** First and last letters of words, numbered from 0. */
  readonly ends: ReadonlyMap<string, number>;
  /** For each of them the places of the words that have it. */
  readonly wordsWith: readonly (readonly number[])[];
}

const endLetters = 3;
/** Shorter words have too many neighbours that are words themselves. */
const minLetters = { hangul: 8, latin: 6 } as const;

/** Collects folded words, to be found again by `closest`. Words too short to be told from their neighbours are left out. */
export function collectSpellings(words: readonly string[]): Spellings {
  const numbers = new Map<string, number>();
  const wordsWith: number[][] = [];
  for (const [place, word] of words.entries()) {
    const letters = jamo(word);
    if (letters.length < minimum(word)) continue;
    for (const end of ends(letters)) {
      const number = numbers.get(end);
      if (number !== undefined) {
        wordsWith[number]?.push(place);
      } else {
        numbers.set(end, wordsWith.length);
        wordsWith.push([place]);
      }
    }
  }
  return { words, ends: numbers, wordsWith };
}

/**
 * A collected word that is one slip away from this one, if there is one; else undefined. Nobody mistypes the first letter
 * of an English word, so that a handle is no candle.
 */
export function closest({ words, ends: numbers, wordsWith }: Spellings, word: string): string | undefined {
  const letters = jamo(word);
  if (letters.length < minimum(word) - 1) return undefined;
  const isNear = (known: string) => (hasHangul(word) || known[0] === word[0]) && isOneSlip(letters, jamo(known));
  for (const end of ends(letters)) {
    const number = numbers.get(end);
    const found = number === undefined ? undefined : wordsWith[number]?.find((place) => isNear(words[place] ?? ''));
    if (found !== undefined) return words[found];
  }
  return undefined;
}

function minimum(word: string): number {
  return hasHangul(word) ? minLetters.hangul : minLetters.latin;
}

/** Whether this character of a text is a Hangul syllable. */
export function isSyllable(text: string, at = 0): boolean {
  const number = text.charCodeAt(at) - first;
  return number >= 0 && number < syllables;
}

/** Whether a text has a Hangul syllable. */
export function hasHangul(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (isSyllable(text, at)) return true;
  return false;
}

function ends(letters: string): [string, string] {
  return [`^${letters.slice(0, endLetters)}`, `${letters.slice(-endLetters)}$`];
}
