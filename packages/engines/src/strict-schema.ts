import { zodTextFormat } from 'openai/helpers/zod';
import type { z } from 'zod';

/** `text.format` of a call of the Responses API. */
export interface StrictFormat {
  readonly type: 'json_schema';
  readonly name: string;
  readonly strict: true;
  readonly schema: Record<string, unknown>;
}

/** What strict mode does not list among its supported keywords. Zod checks these after the answer has come. */
const uncheckedByApi = new Set(['$schema', 'minLength', 'maxLength']);

/** Keywords whose value maps names, which are not keywords, to schemas. */
const maps = new Set(['properties', '$defs', 'definitions']);

/** A call's schema is the same object each time, and making its format takes half a millisecond. */
const known = new WeakMap<z.ZodType, Map<string, StrictFormat>>();

/**
 * The strict JSON schema of a zod schema: closed objects, every property required. The same schema and name give the same
 * object, which is not to be changed.
 *
 * @throws when strict mode cannot express it, as with an optional property (use `nullable`).
 */
export function strictFormat(schema: z.ZodType, name: string): StrictFormat {
  const formats = known.get(schema) ?? new Map<string, StrictFormat>();
  known.set(schema, formats);
  const format = formats.get(name) ?? makeFormat(schema, name);
  formats.set(name, format);
  return format;
}

function makeFormat(schema: z.ZodType, name: string): StrictFormat {
  const format = zodTextFormat(schema, name);
  return { type: 'json_schema', name, strict: true, schema: withoutUnchecked(format.schema) };
}

function withoutUnchecked(schema: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => !uncheckedByApi.has(keyword))
      .map(([keyword, value]) => {
        if (isObject(value)) {
          return [keyword, maps.has(keyword) ? mapValues(value) : withoutUnchecked(value)];
        }
        if (keyword === 'anyOf' && Array.isArray(value)) {
          return [keyword, value.map((branch: unknown) => (isObject(branch) ? withoutUnchecked(branch) : branch))];
        }
        return [keyword, value];
      }),
  );
}

function mapValues(schemas: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, value]) => [name, isObject(value) ? withoutUnchecked(value) : value]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
