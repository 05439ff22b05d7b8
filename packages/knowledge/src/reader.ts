import { fold, isSyllable } from './jamo.ts';
import type { Phrasing } from './schema.ts';
import { compact, isLatin, normalise, nounForms, stem, wordsAndMarks } from './words.ts';

/** One word of a text that may name something. */
export interface Word {
  /** Folded Hangul, or a Latin stem or number. */
  readonly text: string;
  /** Words of one phrase stand together, with nothing between them: 유리병 뚜껑. Counts from 0. */
  readonly phrase: number;
  /** It says more about the thing and is not the thing: what follows "of", what stands before 담긴. */
  attribute: boolean;
}

/**
 * Reads the words of a text that may name things, without what people put around them (이거, 어떻게 버려요, "do I throw
 * away"), without the bins that they ask about (종이로 버려도 되나요, "with plastics", 플라스틱인가요), and without the parts
 * that they ask what to do with (라벨 떼야 하나요, "remove the cap").
 */
export type WordReader = (text: string) => Word[];

export const modalCan = /\b(?:how|where|what)?\s*can (?=(?:i|you|we|it|this|that|these|those|they|be|the|my)\b)/g;

/** They stand between what is done and the thing. */
const articles = new Set(['a', 'an', 'the', 'my', 'off']);
/** Longer names are found by their parts. */
const maxNameWords = 4;

/**
 * @param isName whether a word is a compact name of an item: what is part of one is never left out, though it stand for
 * something else elsewhere (먹다 남은 음식, 가야금).
 */
export function makeWordReader(phrasing: Phrasing, isName: (word: string) => boolean): WordReader {
  const { noise, links, handling, parts } = phrasing;
  const words = new Set([...noise.words.ko, ...noise.words.en]);
  const stems = noise.stems.ko;
  const [isKoreanBin, englishBins] = [koreanBin(phrasing), englishBin(phrasing)];
  const [linkEn, handlingEn] = [new Set(links.en), new Set(handling.en)];
  const partWords = new Set([...parts.ko, ...parts.en].map(compact));
  const isPart = (word: string) => nounForms(word).some((form) => partWords.has(form));
  const isNoise = (word: string) => words.has(word) || stems.some((each) => word.startsWith(each));

  return (text) => {
    const plain = normalise(text).replaceAll(modalCan, ' | ').replaceAll(englishBins, ' | ');
    const runs = plain.match(wordsAndMarks) ?? [];
    const found: Word[] = [];
    const state = { phrase: 0, attribute: false, handled: false, nameEnd: 0 };
    const endPhrase = () => state.phrase++;
    for (let at = 0; at < runs.length; at++) {
      const run = runs[at] ?? '';
      const next = runs[at + 1] ?? '';
      if (at >= state.nameEnd) state.nameEnd = at + nameLength(runs.slice(at, at + maxNameWords), isName, handlingEn);
      const isOfName = at < state.nameEnd;
      if (isSyllable(run)) {
        if (isKoreanBin(run, next)) {
          if (!isKoreanBin(run, '')) at++;
          endPhrase();
        } else if (isOfName) {
          found.push({ text: fold(run), phrase: state.phrase, attribute: false });
        } else if (handling.ko.some((each) => run.startsWith(each))) {
          const last = found.at(-1);
          if (last !== undefined && last.phrase === state.phrase && isPart(last.text)) found.pop();
          endPhrase();
        } else if (isNoise(run)) {
          if (links.ko.includes(run) && isSyllable(next) && !isNoise(next)) describe(found, state.phrase);
          // 먹고 남은: what stands before the first of two describes too.
          else if (!(links.ko.includes(next) && found.at(-1)?.phrase === state.phrase)) endPhrase();
          if (links.ko.includes(run)) endPhrase();
        } else {
          found.push({ text: fold(run), phrase: state.phrase, attribute: false });
        }
      } else if (isLatin(run) && (isOfName || (!words.has(run) && !handlingEn.has(run)))) {
        if (state.handled && isPart(run)) endPhrase();
        else found.push({ text: stem(run), phrase: state.phrase, attribute: state.attribute });
        state.handled = false;
      } else {
        endPhrase();
        const isArticle = articles.has(run) || run === 'some';
        state.attribute = linkEn.has(run) || (state.attribute && isArticle);
        state.handled = handlingEn.has(run) || (state.handled && isArticle);
      }
    }
    return found;
  };
}

/** How many of these runs, from the first on, are the name of an item. */
function nameLength(runs: readonly string[], isName: (word: string) => boolean, handling: ReadonlySet<string>): number {
  const [first = '', second = ''] = runs;
  // "peel the label" is no peel.
  if (handling.has(first) && articles.has(second)) return 0;
  for (let length = runs.length; length > 0; length--) {
    const joined = compact(runs.slice(0, length).map(stem).join(''));
    if (nounForms(joined).some((form) => isName(form) && (length > 1 || form.length > 1))) return length;
  }
  return 0;
}

/** Everything in the phrase is about the thing that comes next. */
function describe(found: Word[], phrase: number): void {
  for (const word of found) if (word.phrase === phrase) word.attribute = true;
}

/**
 * Whether a word, or it and the next in one, names a bin: a stream as where something may go or what it may be (종이로,
 * 플라스틱인가요), or a place for waste (종량제봉투에).
 */
export function koreanBin({ streams, bins }: Phrasing): (word: string, next: string) => boolean {
  const [stream, bin] = [streams.ko, bins.ko].map((list) => longestFirst(list));
  const to = '(?:으로|로|으로는|로는|으로도|로도|쪽으로)';
  const place = `(?:${to}|에|에다|에다가|에는|에도|랑|이랑|하고|과|와)`;
  const isWhat =
    '(?:인가요?|이에요|예요|에요|이예요|인지|인데요?|이야|야|일까요?|이죠|죠|맞나요|되나요|이라고|라고|입니까)';
  const whole = new RegExp(
    `^(?:(?:${stream})(?:류)?(?:${to}|${isWhat})|(?:${stream})(?:류|용)?(?:통|함|칸|봉투|봉지|수거함|쓰레기통|쓰레기봉투)${place}|(?:${bin})${place})(?:요|만|도|는)?$`,
  );
  const into = new RegExp(`^(?:${stream})(?:류)?에(?:다|다가|는|도)?$`);
  const put = /^(?:버|넣|배출|내놓|분리)/;
  return (word, next) =>
    whole.test(word) || (into.test(word) && put.test(next)) || (next !== '' && whole.test(word + next));
}

/** "with plastics", "in the paper bin", "is it glass", "is an umbrella metal": only at the end of what is said, so that "in a paper cup" is none. */
export function englishBin({ streams, bins, materials }: Phrasing): RegExp {
  const [stream, bin, material] = [streams.en, bins.en, materials.en].map((list) => longestFirst(list));
  const more = `(?:\\s+(?:or|and|${bin}|${stream})s?)*`;
  const into = `(?:in|into|with|as|to|under|count as|considered)\\s+(?:the |my |other |a )?(?:${stream})s?${more}`;
  const isWhat = `(?:is|are) (?:it|this|that|these|those|they) (?:made of )?(?:a )?(?:${stream})s?${more}`;
  const isBin = `(?<=[a-z] )(?:${stream})s? (?:${bin})s?(?=\\s*\\?)`;
  const isMaterial = `(?<=\\b(?:is|are) (?:[a-z]+ ){1,3})(?:${material})s?`;
  return new RegExp(
    `\\b(?:${into}|${isWhat}|${isMaterial}|${isBin})(?=\\s*(?:[?.,!]|$|(?:or|and|please|instead|here|too|if|when|though|even|right)\\b))`,
    'g',
  );
}

function longestFirst(words: readonly string[]): string {
  return words.toSorted((a, b) => b.length - a.length).join('|');
}
