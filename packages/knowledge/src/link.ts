import { findMentions, type Mention } from './mentions.ts';
import { lookUp, type Named } from './names.ts';
import { isHangul, roles, type Role } from './role.ts';
import { wordsBeside } from './roles.ts';
import type { Run } from './runs.ts';
import type { Item } from './schema.ts';
import type { SearchIndex } from './search-index.ts';

/** What a question names: the thing that it is about, and what else it mentions. */
export interface Linked {
  /** Each item that the thing may be, with how surely it is named. */
  readonly things: ReadonlyMap<Item, number>;
  readonly mentioned: ReadonlySet<Item>;
  /** False where only the end of a word, or a word for a part, names the thing. */
  readonly isClear: boolean;
  /** True where the thing itself has no name here, only what it is put with or was around. */
  readonly isAside: boolean;
  /** Words that say what the thing is made of or for: in its name, right before it, or before 된. */
  readonly described: ReadonlySet<string>;
}

const clearScore = 0.95;
/** Where only the end of a word is a name. */
const compoundScore = 0.7;
const vagueScore = 0.62;
const madeOf = /^(?:된|만든|재질)/;
/** Of the items that share a name, those that the other words do not speak for. */
const unlikelyShare = 0.7;

/** Of each index, what it was asked last: one context needs the same twice. */
const last = new WeakMap<SearchIndex, { readonly text: string; readonly linked: Linked | undefined }>();

/** Finds what a question is about by the names in it; undefined where it holds none. */
export function link(index: SearchIndex, text: string): Linked | undefined {
  const known = last.get(index);
  if (known?.text === text) return known.linked;
  const linked = findLinked(index, text);
  last.set(index, { text, linked });
  return linked;
}

function findLinked(index: SearchIndex, text: string): Linked | undefined {
  const runs = index.readRuns(text);
  const mentions = findMentions(index, runs);
  const given = index.readRoles(runs, mentions);
  const head = headOf(mentions, given);
  if (head === undefined) return undefined;
  const ignored = mentions.filter((_, at) => ['company', 'place', 'means', 'part'].includes(given[at] ?? ''));
  const words = wordsBeside(runs, [head, ...ignored]);
  const after = wordsBeside(isHangul(head) ? runs.slice(head.to + 1, head.to + 3) : runs, [head, ...ignored]);
  const things = new Map<Item, number>();
  const named = narrower(index, head, words, after) ?? head.named;
  const likely = likeliest(index, named, words);
  const isAside = ['means', 'company'].includes(given[mentions.indexOf(head)] ?? '');
  const base = named !== head.named ? clearScore : isAside ? vagueScore : baseScore(head);
  for (const each of named) {
    things.set(each.item, base * head.trust * each.share * (likely.includes(each) ? 1 : unlikelyShare));
  }
  const others = mentions.filter((mention) => mention !== head).flatMap((mention) => mention.named);
  const mentioned = new Set(others.map(({ item }) => item).filter((item) => !things.has(item)));
  return { things, mentioned, isClear: base === clearScore, isAside, described: describedBy(runs, head) };
}

function describedBy(runs: readonly Run[], { from, to }: Mention): Set<string> {
  const near = runs.filter(({ isPlace }, at) => {
    const [next, before] = [runs[at + 1]?.written ?? '', runs[at - 2]?.written ?? ''];
    const isMadeOf = madeOf.test(next) || (before === 'made' && runs[at - 1]?.written === 'of');
    return !isPlace && (isMadeOf || (at >= from - 1 && at < to));
  });
  return wordsBeside(near, []);
}

/** The first of those that are most likely to be the thing. */
function headOf(mentions: readonly Mention[], given: readonly Role[]): Mention | undefined {
  for (const role of roles) {
    if (role === 'place') break;
    const sure = mentions.find((mention, at) => given[at] === role && !mention.isCompound);
    const any = sure ?? mentions.find((_, at) => given[at] === role);
    if (any !== undefined)
      return clearerOf(
        any,
        mentions.filter((_, at) => given[at] === role),
      );
  }
  return undefined;
}

/** 박스가 나와요, 택배상자요: what is named again, and more clearly. */
function clearerOf(first: Mention, others: readonly Mention[]): Mention {
  const isOneOf = ({ named, isCompound }: Mention) =>
    !isCompound && named.length === 1 && first.named.some(({ item }) => item === named[0]?.item);
  return first.named.length === 1 ? first : (others.find(isOneOf) ?? first);
}

function baseScore({ isCompound, named }: Mention): number {
  if (!isCompound) return clearScore;
  return named.length === 1 ? compoundScore : vagueScore;
}

/** What a longer name stands for, which is made of the name and another word of the question: "water filled ice pack". */
function narrower(
  { book }: SearchIndex,
  head: Mention,
  words: ReadonlySet<string>,
  after: ReadonlySet<string>,
): readonly Named[] | undefined {
  const keys = [head.key, ...(head.named[0]?.words ?? [])];
  for (const word of words) {
    if (word.length < 2) continue;
    // 박스 and 테이프 붙은 are no 박스테이프.
    const longer = keys.flatMap((key) => [word + key, ...(after.has(word) ? [key + word] : [])]);
    const found = longer.map((name) => lookUp(book, name, name)).find(({ length }) => length > 0);
    if (found !== undefined && found.length <= head.named.length) return found;
  }
  return undefined;
}

/** Of several items with one name, those whose other names or materials the question speaks of, if there are such. */
function likeliest({ isAbout }: SearchIndex, named: readonly Named[], words: ReadonlySet<string>): readonly Named[] {
  if (named.length === 1) return named;
  const votes = named.map(({ item }) => [...words].filter((word) => isAbout(item, word)).length);
  const most = Math.max(...votes);
  return most === 0 ? named : named.filter((_, at) => votes[at] === most);
}
