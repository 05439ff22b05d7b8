import type { Catalogue } from './catalogue.ts';
import type { Knowledge } from './identify.ts';
import { link } from './link.ts';
import { wordsBeside } from './roles.ts';
import type { Run } from './runs.ts';
import type { Group, Item, Phrasing, Rule } from './schema.ts';
import type { Cases } from './select.ts';
import { caseWords, remembered, speaksOf } from './wording.ts';
import { compact } from './words.ts';

/** What the question tells of the case in which the thing is. */
export function readCases(
  { catalogue, index }: Knowledge,
  item: Item | undefined,
  question: string,
  telling: ReadonlySet<string>,
): Cases {
  const linked = item === undefined ? undefined : link(index, question);
  const described = item !== undefined && linked?.things.has(item) === true ? linked.described : new Set<string>();
  const words = caseWords(index.readRuns(question), telling, catalogue.phrasing);
  const nouns = new Set([...words].filter(index.isKnown));
  return { words, nouns, confused: item === undefined ? new Map() : confusedBySubstance(catalogue, item, described) };
}

/** "white ceramic knife": what the thing is said to be made of, and is not, belongs to something that it is confused with. */
function confusedBySubstance(
  { phrasing, itemById }: Catalogue,
  item: Item,
  words: ReadonlySet<string>,
): Map<string, string> {
  const foreign = named(phrasing, words).filter(({ materials }) => !isMadeOf(item, materials));
  if (foreign.length === 0) return new Map();
  return new Map(
    item.rules.flatMap((rule): [string, string][] => {
      const other = rule.item === undefined ? undefined : itemById.get(rule.item);
      if (other === undefined) return [];
      const isMeant = foreign.some(({ keys, materials }) => isMadeOf(other, materials) && speaksOf(rule, keys));
      return isMeant ? [[rule.id, other.group]] : [];
    }),
  );
}

const substancesOf = remembered(({ substances }: Phrasing) =>
  substances.map(({ words: { ko, en }, materials, group }) => ({
    keys: new Set([...ko, ...en].map(compact)),
    materials,
    group,
  })),
);

/** The substances that these words name. */
function named(phrasing: Phrasing, words: ReadonlySet<string>) {
  return substancesOf(phrasing).filter(({ keys }) => [...words].some((word) => keys.has(word)));
}

/** Thermal paper is paper. */
function isMadeOf(item: Item, materials: readonly string[]): boolean {
  const own = new Set(item.materials.flatMap((material) => [material, ...material.split(' ')]));
  return materials.some((material) => own.has(material));
}

/** The one group of what the thing is said to be made of. */
export function groupOf({ groupById, phrasing }: Catalogue, runs: readonly Run[]): Group | undefined {
  const words = wordsBeside(runs, []);
  const groups = new Set(named(phrasing, words).map(({ group }) => group));
  const [only] = groups;
  return groups.size === 1 && only !== undefined ? groupById.get(only) : undefined;
}

/** What is said of the whole group of an item, and not of the item, where the question speaks of just that. */
export function sharedRules(
  { groupById }: Catalogue,
  item: Item | undefined,
  topics: ReadonlySet<string>,
  words: ReadonlySet<string>,
): readonly Rule[] {
  if (item === undefined) return [];
  const isOwn = (topic: string) => item.rules.some(({ about }) => about.includes(topic));
  const shared = groupById.get(item.group)?.rules ?? [];
  return shared.filter((rule) => {
    const isExtra = rule.to === undefined && (rule.kind === 'exception' || rule.kind === 'prohibition');
    const isOnly = rule.about.some((topic) => topics.has(topic) && !isOwn(topic));
    return isExtra && (isOnly || speaksOf(rule, words));
  });
}
