import { fold, isSyllable } from './jamo.ts';
import { koreanBin, englishBin, modalCan } from './reader.ts';
import type { Phrasing } from './schema.ts';
import { compact, isLatin, normalise, nounForms, stem, wordsAndMarks } from './words.ts';

/** A word or a mark of a text. */
export interface Run {
  readonly kind: 'hangul' | 'latin' | 'mark';
  /** Folded Hangul, a Latin stem, or the mark. */
  readonly text: string;
  readonly written: string;
  /** It names a bin or a stream as where something may go. */
  readonly isPlace: boolean;
  /** What people put around the names of things. */
  readonly isIdle: boolean;
  /** A mark within a word: t-shirt. */
  readonly isJoint: boolean;
  /** It names something that is mostly part of another thing. */
  readonly isPart: boolean;
  /** Something is done to a part: 떼야, "remove". */
  readonly isHandling: boolean;
}

export type RunReader = (text: string) => readonly Run[];

/** Who writes more tells a story: the thing stands at its beginning. */
const maxRuns = 60;

const adverbs = new Set(['안', '못', '꼭', '다', '잘', '먼저', '굳이', '따로', '미리']);
const means = /(?:으로|로)$/;
const made = /^(?:된|만든|만들|되어|돼)/;
const company = /(?:이랑|랑|하고|와|과)$/;
const into = /(?:에|에는|에도|에다|함|통|함에|통에)$/;
const intoAlone = /에(?:다|다가|는|도)?$/;
const copula = /(?:에요|예요|인데|인데요|이야)$/;
const joint = /^[-·/&'’]$/;

/** "종이랑 같이": with what else it may go. */
const together = /^(?:같이|함께|섞|한꺼번|한데)/;
const nothing = {
  text: '',
  written: '',
  isPlace: false,
  isIdle: false,
  isJoint: false,
  isPart: false,
  isHandling: false,
};

/** The first word from here on that is more than 안, 꼭 or 다. */
export function verbAt(runs: readonly Run[], at: number): Run | undefined {
  return runs.slice(at, at + 3).find(({ written }) => !adverbs.has(written));
}

/** Splits a text into its words and marks. Korean bins are marked as places, English ones become a mark. */
export function makeRunReader(phrasing: Phrasing): RunReader {
  const { noise, handling, parts, streams } = phrasing;
  const words = new Set([...noise.words.ko, ...noise.words.en]);
  const partWords = new Set([...parts.ko, ...parts.en].map(compact));
  const [streamWords, handlingEn] = [new Set(streams.ko), new Set(handling.en)];
  const [isKoreanBin, englishBins] = [koreanBin(phrasing), englishBin(phrasing)];
  const isNoise = (word: string) => words.has(word) || noise.stems.ko.some((each) => word.startsWith(each));

  /** How many words from here on name a place: 0, 1 or 2. */
  const placeLength = (word: string, next: string): number => {
    if (means.test(word) && made.test(next)) return 0;
    const isStream = (particles: RegExp) => streamWords.has(word.replace(particles, '')) && particles.test(word);
    if (together.test(next) && isStream(company)) return 1;
    if (!isSyllable(next) && isStream(into)) return 1;
    // 계란판 플라스틱이에요 says what it is.
    if (copula.test(word) && next !== '?') return 0;
    if (isKoreanBin(word, '') || isKoreanBin(word, next)) return isKoreanBin(word, '') || intoAlone.test(word) ? 1 : 2;
    return 0;
  };
  const toRun = (written: string, isPlace: boolean): Run => {
    if (isSyllable(written)) {
      const text = fold(written);
      const isPart = nounForms(text).some((form) => partWords.has(form));
      const isHandling = handling.ko.some((each) => written.startsWith(each));
      return { ...nothing, kind: 'hangul', text, written, isPlace, isIdle: isNoise(written), isPart, isHandling };
    }
    const text = stem(written);
    const isHandling = handlingEn.has(written);
    return {
      ...nothing,
      kind: 'latin',
      text,
      written,
      isIdle: words.has(written),
      isPart: partWords.has(text),
      isHandling,
    };
  };

  const read = (text: string): Run[] => {
    const plain = normalise(text).replaceAll(modalCan, ' | ').replaceAll(englishBins, ' | ');
    const found = (plain.match(wordsAndMarks) ?? []).slice(0, maxRuns);
    let end = 0;
    let placeEnd = 0;
    return found.map((written, at): Run => {
      const index = plain.indexOf(written, end);
      end = index + written.length;
      if (!isSyllable(written) && !isLatin(written)) {
        const isJoint = joint.test(written) && plain[index - 1] !== ' ';
        return { ...nothing, kind: 'mark', text: written, written, isJoint };
      }
      const length = isSyllable(written) ? placeLength(written, found[at + 1] ?? '') : 0;
      placeEnd = Math.max(placeEnd, at + length);
      return toRun(written, at < placeEnd);
    });
  };
  // One context asks for the same runs three times.
  let last = { text: '', runs: read('') };
  return (text) => {
    if (last.text !== text) last = { text, runs: read(text) };
    return last.runs;
  };
}
