import { locales, wasteCategories, type Condition } from '@bunri/queue-contracts';
import * as z from 'zod';
import { buildCatalogue, type Catalogue } from './catalogue.ts';
import { findNameProblems } from './check-names.ts';
import { defaultTokenBudget, minTokenBudget } from './context.ts';
import {
  ambiguousFileSchema,
  categoriesFileSchema,
  groupFileSchema,
  phrasingFileSchema,
  situationsFileSchema,
  sourceSchema,
  tokenCountsFileSchema,
  topicsFileSchema,
  type DataFiles,
  type Rule,
} from './schema.ts';
import { choose, fit } from './select.ts';
import { countRule } from './token-counts.ts';

/** The catalogue covers what households discharge only from about here on. */
export const minItems = 250;
/** What people are to write on things in Korean stands so in English sentences too. */
const koreanMarkings = ['폐의약품'];
const writeCommand = 'npm run knowledge:check -- --write';

const nothingSeen: Condition = { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown' };

/**
 * What is wrong with the data, each problem one line with the id that it is about; empty where all is well. Data of a
 * wrong shape are not looked at further.
 */
export function findProblems(data: { readonly [File in keyof DataFiles]: unknown }): string[] {
  const misshapen = [
    ...z
      .array(z.unknown())
      .parse(data.groups)
      .flatMap((group) => shapeProblems(nameOf(group), groupFileSchema, group)),
    ...shapeProblems('categories', categoriesFileSchema, data.categories),
    ...shapeProblems('topics', topicsFileSchema, data.topics),
    ...shapeProblems('sources', z.array(sourceSchema), data.sources),
    ...shapeProblems('ambiguous', ambiguousFileSchema, data.ambiguous),
    ...shapeProblems('situations', situationsFileSchema, data.situations),
    ...shapeProblems('phrasing', phrasingFileSchema, data.phrasing),
    ...shapeProblems('token-counts', tokenCountsFileSchema, data.tokenCounts),
  ];
  if (misshapen.length > 0) return misshapen;
  const catalogue = buildCatalogue(data as DataFiles);
  return [
    ...idProblems(catalogue),
    ...findNameProblems(catalogue),
    ...allRules(catalogue).flatMap((rule) => ruleProblems(catalogue, rule)),
    ...coverageProblems(catalogue),
    ...tokenProblems(catalogue, data as DataFiles),
    ...stepProblems(catalogue),
    ...(JSON.stringify(data) === JSON.stringify(data).normalize('NFC') ? [] : ['some text is not in NFC']),
  ];
}

/** Every rule of the catalogue, those of items first. */
export function allRules({ items, groups, recyclableRules, genericRules }: Catalogue): Rule[] {
  return [...[...items, ...groups].flatMap(({ rules }) => rules), ...recyclableRules, ...genericRules];
}

function shapeProblems(file: string, schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).map(({ path, message }) => `${file}: ${describePath(value, path)}: ${message}`);
}

/** The path with the ids of the things on it, since nobody counts items. */
function describePath(value: unknown, path: readonly PropertyKey[]): string {
  let at = value;
  const steps = path.map((key) => {
    at = isRecord(at) ? at[String(key)] : undefined;
    return nameOf(at) === '?' ? String(key) : nameOf(at);
  });
  return steps.join(' > ');
}

function nameOf(value: unknown): string {
  if (!isRecord(value)) return '?';
  const name = value['id'] ?? value['group'];
  return typeof name === 'string' ? name : '?';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function idProblems(catalogue: Catalogue): string[] {
  const owned = [...catalogue.items, ...catalogue.groups].flatMap(({ id, rules }) =>
    rules.map((rule) => ({ rule, owner: id })),
  );
  return [
    ...repeated(catalogue.items.map(({ id }) => id)).map((id) => `item ${id} exists twice`),
    ...repeated(allRules(catalogue).map(({ id }) => id)).map((id) => `rule ${id} exists twice`),
    ...owned
      .filter(({ rule, owner }) => !rule.id.startsWith(`${owner}/`))
      .map(({ rule, owner }) => `rule ${rule.id} stands in ${owner}`),
    ...catalogue.ambiguous
      .flatMap(({ items }) => items)
      .filter((id) => !catalogue.itemById.has(id))
      .map((id) => `ambiguous words name the unknown item ${id}`),
  ];
}

function ruleProblems(catalogue: Catalogue, { id, source, item, to, about, text }: Rule): string[] {
  const [owner = ''] = id.split('/');
  const own = catalogue.itemById.get(owner)?.group ?? owner;
  return [
    ...(catalogue.sources.some((known) => known.id === source)
      ? []
      : [`rule ${id} cites the unknown source ${source}`]),
    ...(item === undefined || catalogue.itemById.has(item) ? [] : [`rule ${id} names the unknown item ${item}`]),
    ...(item === owner ? [`rule ${id} confuses the item with itself`] : []),
    ...(to === undefined || catalogue.groupById.has(to) ? [] : [`rule ${id} sends to the unknown group ${to}`]),
    ...(to !== undefined && to === own ? [`rule ${id} sends to the group in which the thing is already`] : []),
    ...about
      .filter((topic) => !Object.hasOwn(catalogue.topics, topic))
      .map((topic) => `rule ${id} has the unknown topic ${topic}`),
    ...(/[가-힣]/.test(text.ko) ? [] : [`rule ${id} has no Korean text`]),
    ...(/[가-힣]/.test(koreanMarkings.reduce((en, word) => en.replace(word, ''), text.en))
      ? [`rule ${id} has Hangul in its English text`]
      : []),
  ];
}

function coverageProblems(catalogue: Catalogue): string[] {
  const { items, groups, sources, topics } = catalogue;
  const rules = allRules(catalogue);
  const [cited, used] = [new Set(rules.map(({ source }) => source)), new Set(rules.flatMap(({ about }) => about))];
  return [
    ...(items.length < minItems ? [`there are ${items.length} items, and there should be ${minItems}`] : []),
    ...wasteCategories
      .filter((category) => !items.some(({ wasteCategory }) => wasteCategory === category))
      .map((category) => `category ${category} has no item`),
    ...groups.filter(({ id }) => !items.some(({ group }) => group === id)).map(({ id }) => `group ${id} has no item`),
    ...sources.filter(({ id }) => !cited.has(id)).map(({ id }) => `source ${id} is cited by no rule`),
    ...Object.keys(topics)
      .filter((topic) => !used.has(topic))
      .map((topic) => `topic ${topic} has no rule`),
  ];
}

function tokenProblems(catalogue: Catalogue, { tokenCounts }: DataFiles): string[] {
  const rules = allRules(catalogue);
  const known = new Set(rules.map(({ id }) => id));
  const stale = rules.filter((rule) => {
    const [ko, en] = countRule(rule);
    return rule.tokens?.ko !== ko || rule.tokens.en !== en;
  });
  return [
    ...stale.map(({ id }) => `rule ${id} has no token count, or one of another text: ${writeCommand}`),
    ...Object.keys(tokenCounts)
      .filter((id) => !known.has(id))
      .map((id) => `a token count is of the unknown rule ${id}: ${writeCommand}`),
    ...rules
      .filter((rule) => Math.max(...countRule(rule)) > minTokenBudget)
      .map((rule) => `rule ${rule.id} takes ${Math.max(...countRule(rule))} tokens; ${minTokenBudget} is the limit`),
  ];
}

/** A step that no condition brings into a context, or only into a larger one than a worker makes, is never read. */
function stepProblems({ items, groups }: Catalogue): string[] {
  return [...items, ...groups].flatMap(({ id, rules }) => {
    // Reported already.
    if (rules.some(({ tokens }) => tokens === undefined)) return [];
    const steps = rules.filter(({ kind }) => kind === 'step');
    const lost = steps.filter((step) => locales.some((locale) => !isReachable(step, rules, locale)));
    const bare = steps.every(({ when }) => when !== undefined) && items.some((item) => item.id === id);
    return [
      ...lost.map((step) => `step ${step.id} is never told: no condition chooses it, or the budget does not hold it`),
      ...(bare ? [`item ${id} has no step that stands in any condition`] : []),
    ];
  });
}

function isReachable(step: Rule, rules: readonly Rule[], locale: (typeof locales)[number]): boolean {
  const needed = Object.fromEntries(Object.entries(step.when ?? {}).map(([tag, values]) => [tag, values?.[0]]));
  const circumstances = {
    condition: { ...nothingSeen, ...needed },
    topics: new Set<string>(),
    mentioned: new Set<string>(),
    unsure: true,
    words: new Set<string>(),
    cases: { words: new Set<string>(), nouns: new Set<string>(), confused: new Map<string, string>() },
  };
  const { sentences } = fit(choose(rules, circumstances), locale, defaultTokenBudget);
  return sentences.some(({ rule_id }) => rule_id === step.id);
}

function repeated(values: readonly string[]): string[] {
  const seen = new Set<string>();
  return values.filter((value) => seen.size === seen.add(value).size);
}
