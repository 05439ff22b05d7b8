// Values for the fuzz test: by a JSON schema, or not quite by it.
import * as fc from 'fast-check';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

export type Resolve = (reference: string) => Schema;

const odd = [
  '',
  ' ',
  '0',
  '-1',
  '1e999',
  'null',
  'undefined',
  'NaN',
  'true',
  '[]',
  '{}',
  '__proto__',
  'constructor',
  'toString',
  '../..',
  '%00',
  '%',
  '\u0000',
  '\uFEFF',
  '한국어',
  '🙂',
  "'; DROP TABLE--",
  '<script>',
  '${7*7}',
  'a'.repeat(3_000),
  '9'.repeat(40),
  'req_',
  `req_${'0'.repeat(32)}`,
  `batch_${'f'.repeat(32)}`,
] as const;
export const oddText = fc.oneof(
  fc.constantFrom(...odd),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const oddValue = fc.oneof(oddText, fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.constant(null));

/** Values that fit a schema, but for what the schema language cannot say. */
export function valueOf(schema: Schema, resolve: Resolve, depth = 0): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return valueOf(resolve(schema.$ref), resolve, depth + 1);
  if (depth > 6) return fc.constant(null);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map((choice) => valueOf(choice, resolve, depth + 1)));
  const [type = 'any'] = [schema.type].flat();
  switch (type) {
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.integer({ min: Math.max(schema.minimum ?? 0, -1e9), max: Math.min(schema.maximum ?? 1000, 1e9) });
    case 'number':
      return fc.double({ min: schema.minimum ?? 0, max: schema.maximum ?? 1000, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valueOf(schema.items ?? {}, resolve, depth + 1), { maxLength: 3 });
    case 'object':
      return objectOf(schema, resolve, depth);
    default:
      return oddValue;
  }
}

function textOf({ pattern, format, minLength = 0, maxLength = 60 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time') return fc.constant('2026-03-01T12:00:00Z');
  if (format === 'date') return fc.constant('2026-03-01');
  if (format === 'uri') return fc.constant('https://example.com/a.jpg');
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 60) });
}

function objectOf({ properties = {}, required = [] }: Schema, resolve: Resolve, depth: number): fc.Arbitrary<unknown> {
  const values = Object.entries(properties).map(([name, schema]) => {
    const value = valueOf(schema, resolve, depth + 1);
    return [name, required.includes(name) ? value : seldom(value)] as const;
  });
  return fc
    .record(Object.fromEntries(values))
    .map((value) => Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)));
}

/** Undefined mostly: of many optional things together one is hardly ever right. */
export function seldom<Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

/** A value that fits, or one with a field that does not, or something else altogether. */
export function nearlyOf(schema: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  const fitting = valueOf(schema, resolve);
  const names = Object.keys(schema.properties ?? {});
  const spoilt = fc.tuple(fitting, fc.constantFrom('unknown', ...names), oddValue).map(([value, name, other]) => {
    return typeof value === 'object' && value !== null ? { ...value, [name]: other } : other;
  });
  return fc.oneof(
    { weight: 3, arbitrary: fitting },
    { weight: 3, arbitrary: spoilt },
    { weight: 1, arbitrary: oddValue },
  );
}
