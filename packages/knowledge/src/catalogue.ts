import { createHash } from 'node:crypto';
import type { WasteCategory } from '@bunri/queue-contracts';
import ambiguous from '../data/ambiguous.json' with { type: 'json' };
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
import phrasing from '../data/phrasing.json' with { type: 'json' };
import plastics from '../data/plastics.json' with { type: 'json' };
import situations from '../data/situations.json' with { type: 'json' };
import sources from '../data/sources.json' with { type: 'json' };
import styrofoam from '../data/styrofoam.json' with { type: 'json' };
import textile from '../data/textile.json' with { type: 'json' };
import tokenCounts from '../data/token-counts.json' with { type: 'json' };
import topics from '../data/topics.json' with { type: 'json' };
import vinyl from '../data/vinyl.json' with { type: 'json' };
import type { DataFiles, Group, Item, Names, Phrasing, Rule, Source, WordLists } from './schema.ts';

/**
 * Imported, not read from disk, so that a bundle carries them. The order of groups and items is the order here. Their shape
 * is asserted by the tests (`checkData`), and not again by every process at its start.
 */
export const dataFiles = {
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
  ambiguous,
  situations,
  phrasing,
  tokenCounts,
} as unknown as DataFiles;

export interface Catalogue {
  /** First 12 hex digits of the SHA-256 of the data: changes with every word of every rule. */
  readonly version: string;
  readonly items: readonly Item[];
  readonly itemById: ReadonlyMap<string, Item>;
  readonly groups: readonly Group[];
  readonly groupById: ReadonlyMap<string, Group>;
  readonly recyclableRules: readonly Rule[];
  readonly genericRules: readonly Rule[];
  readonly categoryNames: Readonly<Record<WasteCategory, Names>>;
  readonly topics: Readonly<Record<string, WordLists>>;
  readonly sources: readonly Source[];
  readonly ambiguous: DataFiles['ambiguous'];
  readonly situations: DataFiles['situations'];
  readonly phrasing: Phrasing;
}

/** Links the data: every rule gets the version of its source, every item the category of its group. */
export function buildCatalogue(data: DataFiles): Catalogue {
  const versions = new Map(data.sources.map(({ id, version }) => [id, version]));
  // A source that is not there leaves an empty version here and is reported by checkData.
  const link = (rules: DataFiles['categories']['generic']): Rule[] =>
    rules.map((rule) => {
      const [ko, en] = data.tokenCounts[rule.id] ?? [];
      return {
        ...rule,
        about: rule.about ?? [],
        important: rule.important ?? false,
        version: versions.get(rule.source) ?? '',
        tokens: ko === undefined || en === undefined ? undefined : { ko, en },
      };
    });

  const groups: Group[] = data.groups.map(({ group, names, wasteCategory, subcategory, rules, items: members }) => ({
    id: group,
    names,
    wasteCategory,
    subcategory,
    subcategories: [...new Set([subcategory, ...members.flatMap((item) => item.subcategory ?? [])])],
    rules: link(rules),
  }));
  const items: Item[] = data.groups.flatMap(({ group, wasteCategory, subcategory, items: members }) =>
    members.map((item) => ({
      ...item,
      group,
      wasteCategory,
      subcategory: item.subcategory ?? subcategory,
      rules: link(item.rules),
    })),
  );
  // The counts follow from the rules.
  const { tokenCounts: _, ...written } = data;
  return {
    version: createHash('sha256').update(JSON.stringify(written)).digest('hex').slice(0, 12),
    items,
    itemById: new Map(items.map((item) => [item.id, item])),
    groups,
    groupById: new Map(groups.map((group) => [group.id, group])),
    recyclableRules: link(data.categories.recyclable),
    genericRules: link(data.categories.generic),
    categoryNames: data.categories.names,
    topics: data.topics,
    sources: data.sources,
    ambiguous: data.ambiguous,
    situations: data.situations,
    phrasing: data.phrasing,
  };
}

/** The catalogue that ships with this build. */
export const catalogue: Catalogue = buildCatalogue(dataFiles);
