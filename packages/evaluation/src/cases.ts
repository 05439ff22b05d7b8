import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { catalogue, categoryNames, itemById } from '@bunri/knowledge';
import {
  classificationSchema,
  conditionSchema,
  locales,
  wasteCategories,
  type Classification,
  type WasteCategory,
} from '@bunri/queue-contracts';

/** One line of a file of cases. Unknown keys are errors, so that a typing mistake never makes a case easier. */
const lineSchema = z.strictObject({
  id: z.string().min(1),
  locale: z.enum(locales).default('ko'),
  question: z.string().max(1000),
  tags: z.array(z.string().min(1)).default([]),
  /** What vision saw, as far as it matters; without it, a photo that shows nothing. */
  vision: z
    .strictObject({
      ...classificationSchema.omit({ engine: true, condition: true }).partial().shape,
      condition: conditionSchema.partial().strict().optional(),
    })
    .optional(),
  expect: z.strictObject({
    /** A bin or stream by its id or its Korean or English name; of several, any is right. */
    category: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
    item_id: z.string().min(1).optional(),
    /** Rules that the guidance must cite. */
    rules: z.array(z.string().min(1)).optional(),
    /** Whether it must ask back. */
    clarification: z.boolean().optional(),
  }),
  /** Words that the guidance must not have, in any spacing and case, or a regular expression between slashes. */
  forbidden: z.array(z.string().min(1)).default([]),
});

/** Where a thing may rightly go: a whole bin, or some streams of it. */
export interface Destination {
  readonly category: WasteCategory;
  /** Without them, all of the bin. */
  readonly streams?: readonly string[];
}

export interface Case {
  readonly id: string;
  readonly locale: (typeof locales)[number];
  readonly question: string;
  readonly tags: readonly string[];
  readonly classification: Classification;
  readonly expect: {
    /** Any of them is right; empty where the case does not say. */
    readonly destinations: readonly Destination[];
    readonly itemId?: string | undefined;
    readonly rules: readonly string[];
    readonly clarification?: boolean | undefined;
  };
  readonly forbidden: readonly RegExp[];
}

/** A file of cases that cannot be used, with every line that is wrong. */
export class CaseFileError extends Error {
  override readonly name = 'CaseFileError';
}

/**
 * Reads a JSONL file of cases, one a line; empty lines are passed over.
 *
 * @throws CaseFileError naming every wrong line and what is wrong with it, or why the file cannot be read.
 */
export function readCases(file: string): Case[] {
  return parseCases(readText(file), file);
}

/** @throws CaseFileError for a file that cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CaseFileError(`${file}: ${reason(error)}`, { cause: error });
  }
}

/** As `readCases`, from the file's text; `name` is for the messages. */
export function parseCases(text: string, name: string): Case[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  // Editors on Windows put a byte order mark in front.
  const lines = text.replace(/^\uFEFF/u, '').split('\n');
  const cases = lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      const parsed = toCase(line);
      if (seen.has(parsed.id)) throw new Error(`the id ${parsed.id} stands in an earlier line`);
      seen.add(parsed.id);
      return [parsed];
    } catch (error) {
      problems.push(`${name}:${index + 1}: ${reason(error)}`);
      return [];
    }
  });
  if (cases.length === 0 && problems.length === 0) problems.push(`${name}: holds no case`);
  if (problems.length > 0) throw new CaseFileError(problems.join('\n'));
  return cases;
}

function toCase(line: string): Case {
  const { id, locale, question, tags, vision, expect, forbidden } = lineSchema.parse(JSON.parse(line));
  const { item_id: itemId, rules = [], clarification } = expect;
  const destinations = [expect.category ?? []].flat().map(destination);
  if (itemId !== undefined && !itemById(itemId)) throw new Error(`the catalogue has no item ${itemId}`);
  const unknown = rules.filter((rule) => !ruleIds().has(rule));
  if (unknown.length > 0) throw new Error(`the catalogue has no rule ${unknown.join(', ')}`);
  if (destinations.length + rules.length + forbidden.length === 0 && !itemId && clarification === undefined) {
    throw new Error('it expects nothing');
  }
  return {
    id,
    locale,
    question,
    tags,
    classification: seenBy(vision, locale),
    expect: { destinations, itemId, rules, clarification },
    forbidden: forbidden.map(pattern),
  };
}

/** The rest of a classification: an item stands for its name and place, and nothing else is known of the photo. */
function seenBy(vision: z.infer<typeof lineSchema>['vision'] = {}, locale: Case['locale']): Classification {
  const { item_id = null, condition, ...given } = vision;
  const item = item_id === null ? undefined : itemById(item_id);
  if (item_id !== null && !item) throw new Error(`the catalogue has no item ${item_id}`);
  return classificationSchema.parse({
    waste_category: item?.wasteCategory ?? 'general',
    subcategory: item?.subcategory ?? categoryNames[given.waste_category ?? 'general'].ko,
    item_name: item?.names[locale] ?? '',
    confidence: item ? 0.9 : 0,
    ...given,
    item_id,
    condition: { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown', ...condition },
    engine: { provider: 'case', model: 'case' },
  });
}

let knownRules: ReadonlySet<string> | undefined;
function ruleIds(): ReadonlySet<string> {
  const owners = [...catalogue.items, ...catalogue.groups].flatMap(({ rules }) => rules);
  knownRules ??= new Set([...owners, ...catalogue.recyclableRules, ...catalogue.genericRules].map(({ id }) => id));
  return knownRules;
}

function destination(name: string): Destination {
  // Folders of photos may have decomposed names.
  const wanted = name.normalize('NFC').trim().toLowerCase();
  const isNamed = (...names: readonly string[]) => names.some((each) => each.toLowerCase() === wanted);
  const bin = wasteCategories.find((id) => isNamed(id, categoryNames[id].ko, categoryNames[id].en));
  if (bin) return { category: bin };
  const group = catalogue.groups.find(({ id, names }) => isNamed(id, names.ko, names.en));
  // Cans and scrap metal are two streams of one group.
  if (group) return { category: group.wasteCategory, streams: group.subcategories };
  const item = catalogue.items.find(({ subcategory }) => isNamed(subcategory));
  if (item) return { category: item.wasteCategory, streams: [item.subcategory] };
  const names = [...wasteCategories, ...catalogue.groups.map(({ id }) => id)].join(', ');
  throw new Error(
    `there is no bin or stream ${JSON.stringify(name)}; use one of ${names}, or a Korean or English name`,
  );
}

function pattern(written: string): RegExp {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(written) ?? [];
  // Taken for plain words, it would never be found.
  if (flags) throw new Error(`${written}: an expression has no flags; case never matters`);
  if (source !== undefined) return new RegExp(source.normalize('NFC'), 'iu');
  const pieces = written.normalize('NFC').trim().split(/\s+/);
  return new RegExp(pieces.map(inAnySpacing).join(String.raw`\s*`), 'iu');
}

/** Where Korean words are parted is a matter of taste. */
function inAnySpacing(words: string): string {
  const escaped = words.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
  return escaped.replaceAll(/(?<=\p{Script=Hangul})(?=\p{Script=Hangul})/gu, String.raw`\s*`);
}

function reason(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).replaceAll('\n', ' ');
  return error instanceof Error ? error.message : String(error);
}
