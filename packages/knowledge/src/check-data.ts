import * as z from 'zod';
import { buildCatalogue, type Catalogue } from './catalogue.ts';
import {
  ambiguousFileSchema,
  categoriesFileSchema,
  groupFileSchema,
  sourceSchema,
  topicsFileSchema,
  type DataFiles,
} from './schema.ts';

/**
 * Checks the data before it ships. Throws a ZodError for a wrong shape, and an Error naming every dangling or repeated id.
 */
export function checkData(data: { readonly [File in keyof DataFiles]: unknown }): void {
  const checked = {
    groups: z.array(groupFileSchema).parse(data.groups),
    categories: categoriesFileSchema.parse(data.categories),
    topics: topicsFileSchema.parse(data.topics),
    sources: z.array(sourceSchema).parse(data.sources),
    ambiguous: ambiguousFileSchema.parse(data.ambiguous),
  };
  const problems = findProblems(buildCatalogue(checked));
  if (problems.length > 0) throw new Error(`the catalogue is inconsistent:\n${problems.join('\n')}`);
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
