import type { Condition } from '@bunri/queue-contracts';
import type { SituationsFile } from './schema.ts';
import { normalise } from './words.ts';

const quotes = /[’‘`]/g;
const spaces = /\s+/g;
const special = /[.*+?^${}()|[\]\\]/g;

export type PartialCondition = Partial<Condition>;

/** What one reading of the data looks for in a text. */
interface Reading {
  readonly tag: keyof Condition;
  readonly value: string;
  /** What it says when it is denied; undefined where a denial says nothing. */
  readonly denied: string | undefined;
  /** Its parts, in their order: a text without them is not searched further. */
  readonly parts: readonly string[];
  /** Compiled when a text first has the parts: most never do. */
  readonly pattern: () => RegExp;
}

interface Found {
  readonly start: number;
  readonly end: number;
  readonly value: string | undefined;
}

export type SituationReader = (question: string) => PartialCondition;

/**
 * Reads from a question in which state the thing is: 다 씻었어요 is rinsed, "not greasy" not contaminated. A question about
 * an action (씻어야 하나요?, "does it have to be rinsed?") says nothing about the state; one about a case (깨지면) is about
 * that case. A tag of which the question says two different things is left out.
 */
export function makeSituationReader(data: SituationsFile): SituationReader {
  const readings = data.readings.flatMap((each) => [
    ...each.ko.map((phrase) => toReading(each, phrase, () => koreanPattern(phrase, data))),
    ...each.en.map((phrase) => toReading(each, phrase, () => englishPattern(phrase, data))),
  ]);
  const counts = countPatterns(data);
  return (question) => {
    const text = plain(question);
    const found = new Map<keyof Condition, Found[]>();
    for (const { tag, value, denied, parts, pattern } of readings) {
      if (!hasInOrder(text, parts)) continue;
      const earlier = found.get(tag) ?? [];
      for (const match of matches(pattern(), text)) {
        const here = { start: match.index, end: match.index + match[0].length, value };
        // The data names the narrower reading first (조금 묻은 before 기름 묻은).
        if (earlier.some(({ start, end }) => start < here.end && here.start < end)) continue;
        const { before, gap, after } = match.groups ?? {};
        const isDenied = [before, gap, after].some((each) => each !== undefined && each !== '');
        earlier.push(isDenied ? { ...here, value: denied } : here);
      }
      found.set(tag, earlier);
    }
    const said = [...found].flatMap(([tag, each]) => {
      const values = new Set(each.flatMap(({ value }) => value ?? []));
      return values.size === 1 ? [[tag, [...values][0]] as const] : [];
    });
    const condition: PartialCondition = Object.fromEntries(said);
    const quantity = condition.quantity ?? counts(text);
    return quantity === undefined ? condition : { ...condition, quantity };
  };
}

/** The condition of the photo, with what it leaves unknown taken from the question. */
export function fillCondition(seen: Condition, said: PartialCondition): Condition {
  const open = Object.entries(said).filter(([tag]) => (seen[tag as keyof Condition] ?? 'unknown') === 'unknown');
  return { ...seen, ...Object.fromEntries(open) };
}

function toReading(
  { tag, value, not }: SituationsFile['readings'][number],
  phrase: string,
  compile: () => RegExp,
): Reading {
  let compiled: RegExp | undefined;
  return { tag, value, denied: not, parts: phrase.split(' '), pattern: () => (compiled ??= compile()) };
}

/** What a pattern finds and `matchAll` would; that compiles the pattern a second time for each text. */
function matches(pattern: RegExp, text: string): RegExpExecArray[] {
  const found: RegExpExecArray[] = [];
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) found.push(match);
  return found;
}

function hasInOrder(text: string, parts: readonly string[]): boolean {
  let end = 0;
  for (const part of parts) {
    const at = text.indexOf(part, end);
    if (at < 0) return false;
    end = at + part.length;
  }
  return true;
}

function plain(question: string): string {
  return normalise(question).replaceAll(quotes, "'").replaceAll(spaces, ' ').trim();
}

/**
 * Parts of a phrase begin words, in this order, with at most two words between them. A denial stands before the last part
 * (기름 안 묻은) or after it (묻지 않은 is written out in the data). What is followed by 후 or 다음 is an action.
 */
function koreanPattern(phrase: string, { negations, adverbs, actions }: SituationsFile): RegExp {
  const parts = phrase.split(' ').map(escape);
  const no = oneOf(negations.ko);
  const denial = (name: string) => `(?:(?<${name}>${no})\\s?)?`;
  const filler = `(?:${oneOf(adverbs.ko)}\\s?)?`;
  const between = parts.length > 1 ? `[가-힣]{0,3}?\\s?(?:(?!${no}\\s?)[가-힣]{1,6}\\s){0,2}?` : '';
  const last = parts.pop() ?? '';
  const head = parts.map((part) => `${part}${between}`).join('');
  const start = `(?<![가-힣])${filler}${parts.length > 0 ? '' : denial('before')}`;
  const tail = `(?!\\S{0,1}야(?:\\s|$|하|되|돼|만))(?!\\S{0,2}\\s?(?:${oneOf(actions.ko)})(?:\\s|$|[에는]))`;
  return new RegExp(`${start}${head}${parts.length > 0 ? denial('gap') : ''}${last}${tail}`, 'g');
}

/** Whole words; a denial stands at most three words before; "be rinsed" and "to be rinsed" are actions. */
function englishPattern(phrase: string, { negations, actions }: SituationsFile): RegExp {
  const no = oneOf(negations.en);
  const words = phrase.split(' ').map(escape).join('\\s+(?:(?:the|a|my|its|all|has|been|still|completely)\\s+)?');
  const denial = `(?:(?<before>(?<![\\w'])(?:${no}))\\s+(?:[\\w']+\\s+){0,2}?)?`;
  return new RegExp(`${denial}(?<![\\w'])(?<!\\b(?:${oneOf(actions.en)})\\s)${words}(?![\\w'])`, 'g');
}

/** "100개", "열 병", "20 bottles", "two bricks": several; 한 개, 1개, "only one brick": one. */
function countPatterns({ counters, units, numerals }: SituationsFile) {
  const words = oneOf([...numerals.several, ...numerals.one]);
  const unit = `(?!(?:${oneOf(units.en)})\\b)`;
  const patterns = [
    new RegExp(`(?<![가-힣\\d.])(\\d+|${words})\\s?(?:${oneOf(counters.ko)})(?![가-힣]*짜리)`),
    new RegExp(`(?<![\\w.])(\\d+|${oneOf(numerals.several)})\\s+(?:[a-z]+\\s+)?${unit}[a-z]{2,}s\\b`),
    // "this one" counts nothing.
    new RegExp(`(?:^|[,.;]\\s*|\\b(?:have|got|just|only|is)\\s+)(one)\\s+(?:[a-z]+\\s+)?${unit}[a-z]{3,}\\b`),
  ];
  return (text: string): 'one' | 'several' | undefined => {
    const number = patterns.map((pattern) => pattern.exec(text)?.[1]).find((each) => each !== undefined);
    if (number === undefined) return undefined;
    return numerals.one.includes(number) ? 'one' : 'several';
  };
}

function oneOf(words: readonly string[]): string {
  return words
    .toSorted((a, b) => b.length - a.length)
    .map(escape)
    .join('|');
}

function escape(text: string): string {
  return text.replaceAll(special, String.raw`\$&`);
}
