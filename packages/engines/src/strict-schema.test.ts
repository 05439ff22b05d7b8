import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { strictFormat } from './strict-schema.ts';

test('objects are closed, every property is required, and null is among the types of what may be null', () => {
  const schema = z.object({ item: z.string().nullable(), inner: z.object({ n: z.number().min(0).max(1) }) });
  expect(strictFormat(schema, 'thing')).toEqual({
    type: 'json_schema',
    name: 'thing',
    strict: true,
    schema: {
      type: 'object',
      properties: {
        item: { type: ['string', 'null'] },
        inner: {
          type: 'object',
          properties: { n: { type: 'number', minimum: 0, maximum: 1 } },
          required: ['n'],
          additionalProperties: false,
        },
      },
      required: ['item', 'inner'],
      additionalProperties: false,
    },
  });
});

test('lengths of strings are left to zod, at every depth, and a property of that name stays', () => {
  const text = z.string().min(1).max(9);
  const schema = z.object({ minLength: text, list: z.array(z.object({ text: text.nullable() })).min(1) });
  const json = JSON.stringify(strictFormat(schema, 'thing').schema);
  expect(json.match(/"minLength":/g)).toHaveLength(1);
  expect(json).not.toContain('maxLength');
  expect(json).toContain('"minItems":1');
});

test('an optional property cannot be said in strict mode and is an error', () => {
  expect(() => strictFormat(z.object({ a: z.string().optional() }), 'thing')).toThrow(/optional/);
});
