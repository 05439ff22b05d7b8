import { fold, hasHangul } from './jamo.ts';
import type { Run } from './runs.ts';
import type { Item, Phrasing, Rule } from './schema.ts';
import { allStems, compact, hangulWords, nounForms } from './words.ts';

/** Words of a question that tell something of its thing: not its name, no bin, and nothing that people say of everything. */
export function tellingWords(runs: readonly Run[], item: Item | undefined, phrasing: Phrasing): Set<string> {
  const places = placeForms(phrasing);
  const names = item === undefined ? new Set<string>() : nameForms(item);
  return new Set(
    runs.flatMap((run) => {
      if (run.kind === 'mark' || run.isPlace || run.isIdle || run.isHandling) return [];
      const forms = run.kind === 'latin' ? [run.text] : koreanForms(run.text);
      return forms.some((form) => places.has(form) || names.has(form)) ? [] : forms.filter(isTelling);
    }),
  );
}

const nameForms = remembered(({ names, aliases }: Item) =>
  namesToForms([names.ko, names.en, ...aliases.ko, ...aliases.en]),
);
const placeForms = remembered(({ streams, bins }: Phrasing) =>
  namesToForms([...streams.ko, ...bins.ko, ...streams.en, ...bins.en]),
);

function namesToForms(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => [compact(name), ...formsOf(name)]));
}

/** The data never change, so that what is read off them is read once. */
export function remembered<Key extends object, Value>(read: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, Value>();
  return (key) => {
    const value = known.get(key) ?? read(key);
    known.set(key, value);
    return value;
  };
}

/** What of the telling words may say in which case the thing is: nothing that is denied (은박 없는), left on it, or a part. */
export function caseWords(runs: readonly Run[], words: ReadonlySet<string>, phrasing: Phrasing): Set<string> {
  const residue = residueForms(phrasing);
  const isDenied = (at: number) =>
    runs.slice(at + 1, at + 3).some(({ written }) => denial.ko.test(written)) ||
    runs.slice(Math.max(0, at - 2), at).some(({ written }) => denial.en.has(written));
  const forms = runs.flatMap(({ kind, text, isPart }, at) => {
    if (isPart || isDenied(at)) return [];
    return kind === 'hangul' ? nounForms(text) : [text];
  });
  return new Set(forms.filter((form) => words.has(form) && !residue.has(form)));
}

const residueForms = remembered(({ residues }: Phrasing) => new Set([...residues.ko, ...residues.en].map(compact)));
const denial = {
  ko: /^(?:안|못|없|않|아니|말고)/,
  en: new Set(['no', 'not', 'without', 'isn', 'aren', 'don', 'doesn']),
};

/** Whether a rule speaks of something that the question speaks of. */
export function speaksOf(rule: Rule, words: ReadonlySet<string>): boolean {
  return isShared(words, readRule(rule).all);
}

const koreanCase = /^.*?[가-힣](?:면|은|는)(?=[ ,])/;
const englishCase = /\b(?:if|when)\b[^,.;]*|^[^,.;]*?(?=\b(?:goes|go|is|are)\b)/i;

/** Whether the case in which a rule applies is one that the question tells of: 올이 나갔으면. */
export function isCaseOf(rule: Rule, words: ReadonlySet<string>): boolean {
  return isShared(words, readRule(rule).told);
}

function isShared(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((each) => others.has(each));
}

const readRule = remembered(({ text: { ko, en } }: Rule) => {
  const told = `${koreanCase.exec(ko)?.[0] ?? ''} ${englishCase.exec(en)?.[0] ?? ''}`;
  return { all: new Set(formsOf(`${ko} ${en}`)), told: new Set(formsOf(told)) };
});

function formsOf(text: string): string[] {
  return [...hangulWords(text).flatMap(koreanForms), ...allStems(text)].filter(isTelling);
}

/** As a noun, and the beginning that verbs keep in all their forms (자르고, 자르지). */
function koreanForms(word: string): string[] {
  const folded = fold(word);
  return [...nounForms(folded), ...(folded.length > 2 ? [folded.slice(0, 2)] : [])];
}

function isTelling(form: string): boolean {
  return hasHangul(form) ? form.length > 1 : form.length > 2;
}
