import { closest } from './jamo.ts';
import { lookUp, type Named } from './names.ts';
import type { SearchIndex } from './search-index.ts';
import { verbAt, type Run } from './runs.ts';
import { nounForms } from './words.ts';

/** A name that stands in a text. */
export interface Mention {
  readonly named: readonly Named[];
  readonly key: string;
  /** First and last run of it. */
  readonly from: number;
  readonly to: number;
  /** Particle or ending behind it: 에, 으로, 인가요. */
  readonly tail: string;
  readonly trust: number;
  /** Only the end of a longer word is a name: 로봇장난감. */
  readonly isCompound: boolean;
}

/** Longer names do not exist. */
const maxRuns = 10;
const mendedTrust = 0.95;
const turnedTrust = 0.95;
/** Words of one name stand at most so far apart: 옥수수 먹고 남은 심. */
const maxGap = 4;
/** Behind a name of one syllable, which other endings would make a verb of. */
const shortTails =
  /^(?:|은|는|이|가|을|를|도|만|에|로|으로|랑|이랑|하고|과|와|요|은요|는요|인가요|이에요|예요|인데|인데요|이고|이라|이라서|니까|이니까|이요|들|들은|들이|도요)$/;

const counters =
  /^(?:통|병|봉지|박스|상자|팩|캔|컵|그릇|접시|포대|자루|봉투|망|바가지|줌|움큼|뭉치|뭉텅이|다발|더미|바구니|소쿠리|대야|가마니|쟁반|냄비|솥|트럭)(?:을|를|이|가|은|는|도|만|만큼|정도|쯤)?$/;
/** Behind an English verb: "leave my couch". */
const objects = new Set(['a', 'an', 'the', 'my', 'it', 'this', 'them', 'your', 'off', 'out']);
const object = new Set(['', '을', '를']);
const topics = new Set(['은', '는']);
const subjects = new Set(['', '은', '는', '이', '가']);
const numerals = /^(?:한|두|세|네|다섯|여섯|열|반|몇|여러|온|큰|수십|\d+)$/;

/** The names in a text, the longest where they overlap, in the order of the text. */
export function findMentions(index: SearchIndex, runs: readonly Run[]): Mention[] {
  const mended = runs.map((run) => mend(index, run));
  const candidates = runs.flatMap((_, from) => [...wholeNames(index, mended, from), ...wordEnds(index, mended, from)]);
  const taken = new Set<number>();
  const chosen: Mention[] = [];
  const better = (a: Mention, b: Mention) =>
    Number(a.isCompound) - Number(b.isCompound) || b.key.length - a.key.length || a.from - b.from;
  for (const mention of candidates.toSorted(better)) {
    const own = range(mention);
    if (own.some((at) => taken.has(at))) continue;
    own.forEach((at) => taken.add(at));
    chosen.push(mention);
  }
  return joined(index, mended, chosen).toSorted((a, b) => a.from - b.from);
}

/** What stands behind a form of a word, as it is written. */
function tailOf({ text, written }: Run, form: string): string {
  return text.length === form.length ? '' : written.slice(form.length - text.length);
}

function range({ from, to }: Mention): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

interface Spelled extends Run {
  readonly trust: number;
}

/** A word that no name has, one slip away from one that a name has, is read as that. */
function mend(index: SearchIndex, run: Run): Spelled {
  const asIs = { ...run, trust: 1 };
  if (run.kind === 'mark' || run.isPlace || run.isIdle) return asIs;
  const forms = run.kind === 'hangul' ? nounForms(run.text) : [run.text];
  if (forms.some(index.isKnown)) return asIs;
  for (const form of forms) {
    const right = closest(index.spellings, form);
    if (right === undefined) continue;
    const text = `${right}${run.text.slice(form.length)}`;
    return { ...run, text, written: run.kind === 'hangul' ? run.written : right, trust: mendedTrust };
  }
  return asIs;
}

function wholeNames({ book }: SearchIndex, runs: readonly Spelled[], from: number): Mention[] {
  const found: Mention[] = [];
  let [written, stems, trust] = ['', '', 1];
  for (const [offset, run] of runs.slice(from, from + maxRuns).entries()) {
    if (run.kind === 'mark') {
      if (offset > 0 && run.isJoint) continue;
      break;
    }
    if (run.isPlace || (offset > 0 && written.length > book.longest)) break;
    trust = Math.min(trust, run.trust);
    const forms = run.kind === 'hangul' ? nounForms(run.text) : [run.text];
    // 생수병 라벨 떼야: the label is on the bottle.
    if (offset > 0 && run.isPart && verbAt(runs, from + offset + 1)?.isHandling === true) break;
    for (const form of forms) {
      const tail = run.kind === 'hangul' ? tailOf(run, form) : '';
      const asWritten = written + (run.kind === 'hangul' ? form : run.written);
      const named = lookUp(book, asWritten, stems + form);
      if (named.length === 0 || (offset === 0 && !isNoun(run, tail, runs[from + 1], runs[from - 1]))) continue;
      found.push({ named, key: stems + form, from, to: from + offset, tail, trust, isCompound: false });
    }
    written += run.kind === 'hangul' ? run.text : run.written;
    stems += run.text;
  }
  return found;
}

/**
 * Whether a word that is a name may be one here: no word that stands around things, no verb ("leave my couch"),
 * no measure (고추장 한 통). */
function isNoun(run: Run, tail: string, next: Run | undefined, before: Run | undefined): boolean {
  if (isMeasure(run, before)) return false;
  if (run.isIdle || (run.text.length - tail.length === 1 && !shortTails.test(tail))) return false;
  return !(run.kind === 'latin' && run.isHandling && objects.has(next?.written ?? ''));
}

function isMeasure(run: Run, before: Run | undefined): boolean {
  return counters.test(run.text) && numerals.test(before?.written ?? '');
}

/** Names at the end of a longer Korean word; of one syllable only those that stand for several things (병, 캔). */
function wordEnds({ book }: SearchIndex, runs: readonly Spelled[], from: number): Mention[] {
  const run = runs[from];
  if (run?.kind !== 'hangul' || run.isPlace || run.isIdle) return [];
  for (let at = 1; at < run.text.length; at++) {
    for (const form of nounForms(run.text.slice(at))) {
      const named = lookUp(book, form, form);
      if (named.length === 0 || (form.length === 1 && named.length === 1)) continue;
      const tail = tailOf(run, run.text.slice(0, at) + form);
      return [{ named, key: form, from, to: from, tail, trust: run.trust, isCompound: true }];
    }
  }
  return [];
}

/**
 * Names whose words stand apart (옥수수 먹고 남은 심) or the other way round (텀블러 스텐, "can of paint") take the place of
 * the names that the words are alone.
 */
function joined({ book }: SearchIndex, runs: readonly Spelled[], chosen: readonly Mention[]): Mention[] {
  let mentions = [...chosen];
  const at = (position: number) => mentions.find(({ from, to }) => from <= position && position <= to);
  for (const [first, a] of runs.entries()) {
    for (let second = first + 1; second <= first + maxGap && second < runs.length; second++) {
      const b = runs[second];
      if (b === undefined || b.kind === 'mark' || b.isPlace) break;
      const [own, other] = [at(first), at(second)];
      if ([own, other].some((mention) => mention !== undefined && mention.from !== mention.to)) continue;
      const name = joinedName(book, runs, first, second);
      if (name === undefined || a.isPlace) continue;
      mentions = [...mentions.filter((mention) => mention !== own && mention !== other), name];
      break;
    }
  }
  return mentions;
}

function joinedName(
  book: SearchIndex['book'],
  runs: readonly Spelled[],
  first: number,
  second: number,
): Mention | undefined {
  const [a, b] = [runs[first], runs[second]];
  if (a === undefined || b === undefined || a.kind !== b.kind || a.kind === 'mark' || a.isIdle || b.isIdle) {
    return undefined;
  }
  if (a.kind === 'latin') {
    const isOf = second === first + 2 && runs[first + 1]?.written === 'of';
    const named = isOf ? lookUp(book, b.text + a.text, b.text + a.text) : [];
    if (named.length === 0) return undefined;
    return { named, key: b.text + a.text, from: second, to: second, tail: '', trust: turnedTrust, isCompound: false };
  }
  const isApart = second > first + 1;
  if (isMeasure(b, runs[second - 1])) return undefined;
  const before = nounForms(a.text).filter((form) => object.has(a.text.slice(form.length)));
  const next = runs[second + 1];
  const isLast = next === undefined || next.kind === 'mark' || next.isIdle;
  const subject = isLast ? subjects : topics;
  const turned = nounForms(a.text).filter((form) => subject.has(a.text.slice(form.length)));
  for (const form of nounForms(b.text)) {
    const tail = tailOf(b, form);
    const keys = [
      ...(isApart ? before.map((each) => ({ key: each + form, trust: 1 })) : []),
      ...(second <= first + 2 ? turned.map((each) => ({ key: form + each, trust: turnedTrust })) : []),
    ];
    for (const { key, trust } of keys) {
      const named = lookUp(book, key, key);
      if (named.length > 0) return { named, key, from: second, to: second, tail, trust, isCompound: false };
    }
  }
  return undefined;
}
