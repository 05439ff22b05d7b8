import { createHash } from 'node:crypto';
import type { WasteCategory } from '@bunri/queue-contracts';
import { z } from 'zod';
import battery from '../data/battery.json' with { type: 'json' };
import bulky from '../data/bulky.json' with { type: 'json' };
import categories from '../data/categories.json' with { type: 'json' };
import clearPet from '../data/clear-pet.json' with { type: 'json' };
import construction from '../data/construction.json' with { type: 'json' };
import electronics from '../data/electronics.json' with { type: 'json' };
import food from '../data/food.json' with { type: 'json' };
import general from '../data/general.json' with { type: 'json' };
import glass from '../data/glass.json' with { type: 'json' };
import hazardous from '../data/hazardous.json' with { type: 'json' };
import lamp from '../data/lamp.json' with { type: 'json' };
import metal from '../data/metal.json' with { type: 'json' };
import noncombustible from '../data/noncombustible.json' with { type: 'json' };
import paperPack from '../data/paper-pack.json' with { type: 'json' };
import paper from '../data/paper.json' with { type: 'json' };
import plastics from '../data/plastics.json' with { type: 'json' };
import sources from '../data/sources.json' with { type: 'json' };
import styrofoam from '../data/styrofoam.json' with { type: 'json' };
import textile from '../data/textile.json' with { type: 'json' };
import topics from '../data/topics.json' with { type: 'json' };
import vinyl from '../data/vinyl.json' with { type: 'json' };
import {
  categoriesFileSchema,
  groupFileSchema,
  type ruleFileSchema,
  sourceSchema,
  topicsFileSchema,
  type Group,
  type Item,
  type Names,
  type Rule,
  type Source,
  type WordLists,
} from './schema.ts';

/** The parsed files under `data/`, not yet checked. */
interface DataFiles {
  readonly groups: readonly unknown[];
  readonly categories: unknown;
  readonly topics: unknown;
  readonly sources: unknown;
}

/** Imported, not read from disk, so that a bundle carries them. The order of groups and items is the order here. */
export const dataFiles: DataFiles = {
  groups: [
    clearPet,
    plastics,
    vinyl,
    styrofoam,
    paper,
    paperPack,
    glass,
    metal,
    textile,
    battery,
    lamp,
    electronics,
    general,
    noncombustible,
    food,
    bulky,
    hazardous,
    construction,
  ],
  categories,
  topics,
  sources,
};

export interface Catalogue {
  /** First 12 hex digits of the SHA-256 of the data: changes with every word of every rule. */
  readonly version: string;
  readonly items: readonly Item[];
  readonly itemById: ReadonlyMap<string, Item>;
  readonly groups: readonly Group[];
  readonly recyclableRules: readonly Rule[];
  readonly genericRules: readonly Rule[];
  readonly categoryNames: Readonly<Record<WasteCategory, Names>>;
  readonly topics: Readonly<Record<string, WordLists>>;
  readonly sources: readonly Source[];
}

/**
 * Checks the data and links it: every rule gets the version of its source, every item the category of its group.
 * Throws a ZodError for a wrong shape, and an Error naming every dangling or repeated id.
 */
export function buildCatalogue(data: DataFiles): Catalogue {
  const groupFiles = z.array(groupFileSchema).parse(data.groups);
  const categoriesFile = categoriesFileSchema.parse(data.categories);
  const topicWords = topicsFileSchema.parse(data.topics);
  const sourceList = z.array(sourceSchema).parse(data.sources);

  const versions = new Map(sourceList.map(({ id, version }) => [id, version]));
  // A source that is not there leaves an empty version here and is reported by findProblems.
  const link = (rules: readonly z.infer<typeof ruleFileSchema>[]): Rule[] =>
    rules.map((rule) => ({ ...rule, version: versions.get(rule.source) ?? '' }));

  const groups: Group[] = groupFiles.map(({ group, names, wasteCategory, subcategory, rules, items: members }) => ({
    id: group,
    names,
    wasteCategory,
    subcategories: [...new Set([subcategory, ...members.flatMap((item) => item.subcategory ?? [])])],
    rules: link(rules),
  }));
  const items: Item[] = groupFiles.flatMap(({ wasteCategory, subcategory, items: members }) =>
    members.map((item) => ({
      ...item,
      wasteCategory,
      subcategory: item.subcategory ?? subcategory,
      rules: link(item.rules),
    })),
  );
  const catalogue: Catalogue = {
    version: createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 12),
    items,
    itemById: new Map(items.map((item) => [item.id, item])),
    groups,
    recyclableRules: link(categoriesFile.recyclable),
    genericRules: link(categoriesFile.generic),
    categoryNames: categoriesFile.names,
    topics: topicWords,
    sources: sourceList,
  };
  const problems = findProblems(catalogue);
  if (problems.length > 0) throw new Error(`the catalogue is inconsistent:\n${problems.join('\n')}`);
  return catalogue;
}

function findProblems(catalogue: Catalogue): string[] {
  const sourceIds = new Set(catalogue.sources.map(({ id }) => id));
  const owned = [...catalogue.items, ...catalogue.groups].flatMap(({ id, rules }) =>
    rules.map((rule) => ({ rule, owner: id })),
  );
  const rules = [...owned.map(({ rule }) => rule), ...catalogue.recyclableRules, ...catalogue.genericRules];
  return [
    ...repeated(catalogue.items.map(({ id }) => id)).map((id) => `item ${id} exists twice`),
    ...repeated(rules.map(({ id }) => id)).map((id) => `rule ${id} exists twice`),
    ...owned
      .filter(({ rule, owner }) => !rule.id.startsWith(`${owner}/`))
      .map(({ rule, owner }) => `rule ${rule.id} stands in ${owner}`),
    ...rules.flatMap((rule) => [
      ...(sourceIds.has(rule.source) ? [] : [`rule ${rule.id} cites the unknown source ${rule.source}`]),
      ...(rule.item === undefined || catalogue.itemById.has(rule.item)
        ? []
        : [`rule ${rule.id} names the unknown item ${rule.item}`]),
      ...rule.about
        .filter((topic) => !Object.hasOwn(catalogue.topics, topic))
        .map((topic) => `rule ${rule.id} has the unknown topic ${topic}`),
    ]),
  ];
}

function repeated(values: readonly string[]): string[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}

/** The catalogue that ships with this build. */
export const catalogue: Catalogue = buildCatalogue(dataFiles);
