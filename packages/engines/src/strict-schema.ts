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

/**
 * The strict JSON schema of a zod schema: closed objects, every property required.
 *
 * @throws when strict mode cannot express it, as with an optional property (use `nullable`).
 */
export function strictFormat(schema: z.ZodType, name: string): StrictFormat {
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
