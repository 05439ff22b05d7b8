import { markup, type Html } from './markup.ts';

/** A schema of an OpenAPI document, as far as it is shown. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** Deeper objects are told by their type alone; those that matter have a name, and a place of their own. */
const deepest = 4;

export function anchorOf(name: string): string {
  return `schema-${name}`;
}

/** The type in one line, with links to the schemas that have names. */
export function typeOf(schema: Schema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return markup`<a href="#${anchorOf(name)}">${name}</a>`;
  }
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return join(choices.map(typeOf), schema.allOf ? ' and ' : ' or ');
  if (schema.const !== undefined) return markup`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum) {
    const values = schema.enum.map((value) => markup`<code>${JSON.stringify(value)}</code>`);
    return join(values, ', ');
  }
  if (schema.items) return markup`list of ${typeOf(schema.items)}`;
  if (typeof schema.additionalProperties === 'object' && !schema.properties) {
    return markup`object of ${typeOf(schema.additionalProperties)}`;
  }
  const types = typeof schema.type === 'string' ? schema.type : (schema.type ?? ['any']).join(' or ');
  return markup`${types}${schema.format === undefined ? null : ` (${schema.format})`}`;
}

/** What is said of a field beside its type. */
export function limitsOf({ default: preset, pattern, ...schema }: Schema): Html | null {
  const bounds = [
    bound('value', schema.minimum, schema.maximum),
    bound('length', schema.minLength, schema.maxLength),
    bound('entries', schema.minItems, schema.maxItems),
  ].filter((text) => text !== null);
  const said = [
    ...(preset === undefined ? [] : [markup`default <code>${JSON.stringify(preset)}</code>`]),
    ...bounds.map((text) => markup`${text}`),
    ...(pattern === undefined ? [] : [markup`matches <code>${pattern}</code>`]),
  ];
  return said.length === 0 ? null : markup`<span class="limits">${join(said, ' · ')}</span>`;
}

function bound(what: string, least: number | undefined, most: number | undefined): string | null {
  // Where JSON Schema has no word for "as large as a number can be", a document names that number.
  const top = most === Number.MAX_SAFE_INTEGER ? undefined : most;
  const bottom = least === Number.MIN_SAFE_INTEGER ? undefined : least;
  if (bottom === undefined && top === undefined) return null;
  return `${what} ${bottom ?? ''}–${top ?? ''}`;
}

/** The fields of an object, each with its own below it; null for what has none. */
export function fieldsOf(schema: Schema, depth = 0): Html | null {
  const { properties, items, required = [] } = schema;
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return choices.map((choice) => fieldsOf(choice, depth)).find((fields) => fields !== null) ?? null;
  if (items) return fieldsOf(items, depth);
  if (!properties || depth === deepest) return null;
  const entries = Object.entries(properties).map(
    ([name, field]) =>
      markup`<li><p><code class="field">${name}</code> ${typeOf(field)}${
        required.includes(name) ? null : markup` <span class="limits">optional</span>`
      } ${limitsOf(field)}</p>${field.description === undefined ? null : markup`<p>${withCode(field.description)}</p>`}${fieldsOf(field, depth + 1)}</li>`,
  );
  return markup`<ul class="fields">${entries}</ul>`;
}

/** Text of the document, in which code stands between backticks. */
export function withCode(text: string): Html {
  return markup`${text.split('`').map((piece, i) => (i % 2 === 1 ? markup`<code>${piece}</code>` : piece))}`;
}

function join(pieces: readonly Html[], between: string): Html {
  return markup`${pieces.map((piece, i) => (i === 0 ? piece : markup`${between}${piece}`))}`;
}
