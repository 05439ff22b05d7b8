import { createHash } from 'node:crypto';
import type { JsonSchema, ModelCall } from './simulator-request.ts';

const marker = { ko: '[시뮬레이터 응답]', en: '[simulated]' } as const;

interface Rule {
  readonly id: string;
  readonly text: string;
}

/** What the simulator makes out of a call before it fills in the schema. */
interface Material {
  readonly language: keyof typeof marker;
  /** The cells of the catalogue line that was picked: id, Korean name, English name, … */
  readonly item: readonly string[] | undefined;
  readonly rules: readonly Rule[];
  /** A number in [0, 1) that depends on the call and the place alone. */
  readonly chance: (place: string) => number;
}

/** A JSON text that the call's schema accepts, patterns of strings excepted; the same call always gets the same text. */
export function simulatedJson(call: ModelCall): string {
  return JSON.stringify(fill(call.schema, '$', { root: call.schema, material: materialOf(call) }));
}

function materialOf(call: ModelCall): Material {
  const fingerprint = `${call.imageSha256 ?? ''}\n${call.text}`;
  const chance = (place: string) =>
    createHash('sha256').update(`${fingerprint}\n${place}`).digest().readUInt32BE() / 2 ** 32;
  // A prompt that fences the question is searched inside the fence alone.
  const question = /<question>([\s\S]*?)<\/question>/.exec(call.text)?.[1] ?? call.text;
  const rules = [...call.text.matchAll(/\[rule:([^\]\s]+)\][ \t]*((?:(?!\[rule:)[^\n])+)/g)].map(
    ([, id = '', text = '']) => ({ id, text: text.trim() }),
  );
  return {
    language: /[가-힣]/.test(rules[0]?.text ?? question) ? 'ko' : 'en',
    item: pickItem(call.instructions, question, chance),
    rules,
    chance,
  };
}

/** Words that stand in any question or prompt and name nothing. */
const emptyWords = new Set(
  'a an and are away can do does for how i in into is it item of on or out photo question the this to throw user what where with'.split(
    ' ',
  ),
);

function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => word.length > 1 && !emptyWords.has(word));
}

interface CatalogueLine {
  readonly cells: readonly string[];
  readonly words: ReadonlySet<string>;
}

/** Reading a catalogue of hundreds of lines takes milliseconds, and all calls of a stage bring the same. */
const catalogues = new Map<string, readonly CatalogueLine[]>();
const keptCatalogues = 8;

function catalogueOf(instructions: string): readonly CatalogueLine[] {
  const known = catalogues.get(instructions);
  if (known !== undefined) return known;
  const lines = cellsOf(instructions).map((cells) => ({ cells, words: new Set(wordsOf(cells.join(' '))) }));
  if (catalogues.size >= keptCatalogues) catalogues.clear();
  catalogues.set(instructions, lines);
  return lines;
}

/**
 * The cells of the catalogue's lines, `id | Korean name | English name | …`. Where lines are `id: Korean name` below a
 * heading, the heading's cells stand behind, and the id says the English name.
 */
function cellsOf(instructions: string): string[][] {
  let heading: string[] = [];
  const cells = (text: string) => text.split('|').map((cell) => cell.trim());
  return instructions.split('\n').flatMap((line) => {
    const [, title] = /^#+ (.*\|.*)$/.exec(line) ?? [];
    if (title !== undefined) heading = cells(title);
    else if (line.startsWith('#')) heading = [];
    const [, id = '', name = ''] = /^([a-z0-9-]+): (.+)$/.exec(line) ?? [];
    if (id !== '' && heading.length > 0) return [[id, name.trim(), id.replaceAll('-', ' '), ...heading]];
    const [first = '', ...others] = cells(line.replace(/^[-*\s]+/, ''));
    return others.length >= 2 && /^[a-z0-9][a-z0-9_.:-]*$/.test(first) ? [[first, ...others]] : [];
  });
}

/** The catalogue line that shares most with the question; without any such line one by chance. */
function pickItem(instructions: string, question: string, chance: Material['chance']): readonly string[] | undefined {
  const lines = catalogueOf(instructions);
  const asked = wordsOf(question);
  let best = lines[Math.floor(chance('item') * lines.length)];
  let bestScore = 0;
  for (const line of lines) {
    const score = [...line.words]
      // A Korean noun carries its particle with it: 페트병은 asks for 페트병.
      .filter((word) => asked.some((other) => other === word || (/^[가-힣]/.test(word) && other.startsWith(word))))
      .reduce((sum, word) => sum + word.length, 0);
    if (score > bestScore) [best, bestScore] = [line, score];
  }
  return best?.cells;
}

interface Filling {
  readonly root: JsonSchema;
  readonly material: Material;
}

function fill(schema: JsonSchema, place: string, filling: Filling): unknown {
  const { root, material } = filling;
  if (schema.$ref !== undefined) return fill(resolveRef(root, schema.$ref), place, filling);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return pickEnum(schema.enum, place, material);
  if (schema.anyOf !== undefined) {
    const filled = schema.anyOf.find(({ type }) => type !== 'null') ?? { type: 'null' };
    return fill(filled, place, filling);
  }
  const type = [schema.type].flat().find((name) => name !== 'null') ?? 'null';
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([key, child]) => [key, fill(child, `${place}.${key}`, filling)]),
      );
    case 'array':
      return fillArray(schema, place, filling);
    case 'number':
    case 'integer':
      return pickNumber(schema, type, material.chance(place));
    case 'boolean':
      return material.chance(place) < 0.5;
    case 'string':
      return writeString(place, material);
    default:
      return null;
  }
}

function resolveRef(root: JsonSchema, ref: string): JsonSchema {
  if (ref === '#') return root;
  const [, group, name = ''] = /^#\/(\$defs|definitions)\/(.+)$/.exec(ref) ?? [];
  const found = (group === '$defs' ? root.$defs : root.definitions)?.[decodeURIComponent(name)];
  if (found === undefined) throw new Error(`the schema refers to ${ref}, which it does not hold`);
  return found;
}

/** A value that the picked item's line names; `unknown` where that may be said, since nothing was looked at; else one by chance. */
function pickEnum(values: readonly unknown[], place: string, { item, chance }: Material): unknown {
  const named = values.find((value) => typeof value === 'string' && item?.includes(value));
  return named ?? values.find((value) => value === 'unknown') ?? values[Math.floor(chance(place) * values.length)];
}

/** Between four fifths and all of the range, so that a confidence looks like that of a model that is fairly sure. */
function pickNumber({ minimum = 0, maximum = minimum + 1 }: JsonSchema, type: string, chance: number): number {
  const value = maximum - (maximum - minimum) * 0.2 * chance;
  return type === 'integer' ? Math.round(value) : Math.round(value * 100) / 100;
}

/** A list of things that cite rules has one for each rule of the call; other lists are as short as the schema allows. */
function fillArray(schema: JsonSchema, place: string, filling: Filling): unknown[] {
  const { minItems = 0, maxItems = 8, items = {} } = schema;
  const citation = Object.entries(items.properties ?? {}).find(([key]) => /^rule_ids?$/.test(key));
  const allowed = citation?.[1].enum ?? citation?.[1].items?.enum;
  const rules = citation === undefined ? [] : filling.material.rules.filter(({ id }) => allowed?.includes(id) ?? true);
  const count = Math.min(Math.max(rules.length, minItems), maxItems);
  return Array.from({ length: count }, (_, index) => {
    const rule = rules[index];
    if (rule === undefined || citation === undefined) return fill(items, `${place}.${index}`, filling);
    return fillCitation(items, citation[0], rule, `${place}.${index}`, filling);
  });
}

function fillCitation(schema: JsonSchema, citation: string, rule: Rule, place: string, filling: Filling): unknown {
  const entries = Object.entries(schema.properties ?? {}).map(([key, child]) => {
    if (key === citation) return [key, child.type === 'array' ? [rule.id] : rule.id];
    if (key === 'text') return [key, rule.text];
    return [key, fill(child, `${place}.${key}`, filling)];
  });
  return Object.fromEntries(entries);
}

function writeString(place: string, { language, item, rules }: Material): string {
  const name = place.slice(place.lastIndexOf('.') + 1);
  const itemName = (language === 'ko' ? item?.[1] : item?.[2]) ?? item?.[1];
  if (name === 'item_id') return item?.[0] ?? 'unknown';
  if (name === 'item_name') return itemName ?? `simulated ${name}`;
  if (name !== 'answer') return `simulated ${name}`;
  const sentences = rules.length > 0 ? rules.flatMap(({ text }) => text.split(/(?<=[.!?]) /)) : [noRules[language]];
  return `${marker[language]} ${sentences.slice(0, mostSentences).join(' ')}`;
}

/** As many as guidance asks of a model. */
const mostSentences = 3;

const noRules = {
  ko: '이 요청에는 배출 규칙이 들어 있지 않습니다.',
  en: 'The call held no disposal rules.',
} as const;
