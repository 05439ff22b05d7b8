import { fold, isSyllable } from './jamo.ts';

export function normalise(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/** A name as it is compared: folded letters and numbers, nothing between them. */
export function compact(text: string): string {
  const folded = fold(normalise(text));
  for (let at = 0; at < folded.length; at++) {
    if (!isSyllable(folded, at) && !isLatin(folded, at)) return folded.replaceAll(noLetters, '');
  }
  return folded;
}

/** Most words have none, and their classes are slow to compile, which a small heap has to do again and again. */
export const noLetters = /[^\p{L}\p{N}]/gu;
/** The words of a text, Hangul or Latin, and its marks. */
export const wordsAndMarks = /[가-힣]+|[a-z0-9]+|[^\s가-힣a-z0-9]/g;
const latinWords = /[a-z0-9]+/g;
const koreanWords = /[가-힣]+/g;

/** Whether this character of a lower-case text is a letter of a Latin word, or a digit. */
export function isLatin(text: string, at = 0): boolean {
  const code = text.charCodeAt(at);
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
}

const pluralsInEs = ['sses', 'xes', 'zes', 'ches', 'shes'];
const singularsInS = ['ss', 'us', 'is'];

/** Plural endings come off: bottles → bottle, batteries → battery, boxes → box. */
export function stem(word: string): string {
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  if (word.length > 4 && pluralsInEs.some((end) => word.endsWith(end))) return word.slice(0, -2);
  if (word.length > 3 && word.endsWith('s') && !singularsInS.some((end) => word.endsWith(end)))
    return word.slice(0, -1);
  return word;
}

/** Stems of all Latin words and numbers of a text. */
export function allStems(text: string): string[] {
  return (normalise(text).match(latinWords) ?? []).map(stem);
}

/** The folded Hangul words of a text. */
export function hangulWords(text: string): string[] {
  return fold(normalise(text)).match(koreanWords) ?? [];
}

/** Neighbouring letters of a run; a single letter stands for itself. */
export function bigrams(run: string): string[] {
  if (run.length === 1) return [run];
  return Array.from({ length: Math.max(0, run.length - 1) }, (_, index) => run.slice(index, index + 2));
}

/** Particles and endings of 이다 that follow a noun. Longer ones first, so that 에서는 is not read as 는. */
const endings = [
  '이니까|니까|이라서|라서|이라도|이길래|이었|였던|째로|째|말고|대로|이든|든|인거|인건|인|이라고|라고|인가요|인가|인데요|인데|인지|이에요|예요|에요|이예요|입니다|이야|이고|이면|이라|이나|이랑|이요|이죠|일까요|일까|같은|처럼|까지|부터|보다|마다|라도|밖에|하고|한테',
  '에서는|에서도|에서|에다가|에다|에는|에도|에|으로는|으로도|으로|로는|로도|로|들은|들이|들을|들도|들|은요|는요|은|는|이|가|을|를|도|만|의|과|와|랑|요|나|면|야',
]
  .join('|')
  .split('|')
  .map(fold)
  .toSorted((a, b) => b.length - a.length);
const endingsByLetter = Map.groupBy(endings, (ending) => ending.slice(-1));

/** The readings of a Korean word as a noun: as it stands, and without each particle that may be one, shortest ending last. */
export function nounForms(word: string): string[] {
  const stripped = (endingsByLetter.get(word.slice(-1)) ?? []).flatMap((ending) =>
    word.length > ending.length && word.endsWith(ending) ? [word.slice(0, -ending.length)] : [],
  );
  return [word, ...new Set(stripped)];
}
