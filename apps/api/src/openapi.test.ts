import { expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Express } from 'express';
import { openApiDocument } from './openapi.ts';
import { startTestApi } from './test-api.ts';

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
type Operation = Record<string, unknown> & {
  responses: Record<string, unknown>;
  parameters?: { name: string; in: string; description?: string; schema?: { description?: string } }[];
};
// As a client gets it.
const document = JSON.parse(JSON.stringify(openApiDocument())) as {
  openapi: string;
  paths: Record<string, Partial<Record<(typeof methods)[number], Operation>>>;
  tags: { name: string; description: string }[];
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
};
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  methods.flatMap((method) => {
    const operation = item[method];
    return operation ? [{ name: `${method} ${path}`, path, operation }] : [];
  }),
);

/** What Express would answer, as `method path`. */
function routesOf(app: Express): string[] {
  interface Layer {
    route?: { path: string; methods: Record<string, boolean> };
    handle?: { stack?: Layer[] };
  }
  const walk = (layers: Layer[]): string[] =>
    layers.flatMap(({ route, handle }) => {
      if (route)
        return Object.keys(route.methods).map((method) => `${method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`);
      return walk(handle?.stack ?? []);
    });
  return walk((app.router as unknown as { stack: Layer[] }).stack);
}

test('every route is documented, and nothing is documented that is no route', async () => {
  const api = await startTestApi();
  expect(routesOf(api.app).toSorted()).toEqual(operations.map(({ name }) => name).toSorted());
  const answer = await api.fetch('/openapi.json', { key: null });
  expect(await answer.json()).toEqual(document);
  await api.close();
});

test('it is an OpenAPI 3.1 document whose references all lead somewhere', () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? '');
  expect(references.length).toBeGreaterThan(10);
  for (const reference of references) {
    const target = reference.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document);
    expect({ reference, found: target !== undefined }).toEqual({ reference, found: true });
  }
});

test.each(operations)(
  '$name has an id, a summary, its path parameters, and a problem for each refusal',
  ({ path, operation }) => {
    expect(operation).toMatchObject({ operationId: expect.any(String), summary: expect.any(String) });
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map(({ name }) => name);
    expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    if (!path.startsWith('/v1/')) return;
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['401', '403', '429', '503']));
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      expect(response).toMatchObject({ content: { 'application/problem+json': { schema: expect.anything() } } });
    }
  },
);

test('operation ids are unique words of one form, and every tag that is used is described', () => {
  const ids = operations.map(({ operation }) => String(operation['operationId']));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id))).toEqual([]);
  const tags = operations.flatMap(({ operation }) => operation['tags'] as string[]);
  expect(document.tags.every(({ description }) => description.length > 0)).toBe(true);
  expect(new Set(tags)).toEqual(new Set(document.tags.map(({ name }) => name)));
});

const openToAll = operations.filter(({ path }) => !path.startsWith('/v1/'));
test.each(openToAll)('$name says that it needs no key', ({ operation }) => {
  expect(operation['security']).toEqual([]);
});

test.each(operations)('$name has one tag, described answers, and described parameters of its own', ({ operation }) => {
  expect(operation['tags']).toHaveLength(1);
  expect(String(operation['summary'])).toMatch(/^\p{Lu}.*[^.]$/u);
  const answers = Object.values(operation.responses) as Media[];
  expect(answers.filter(({ description = '' }) => description === '')).toEqual([]);
  expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
  const inQuery = (operation.parameters ?? []).filter((parameter) => parameter.in !== 'path');
  const plain = new Set(['locale', 'priority']);
  const silent = inQuery.filter(
    ({ name, description, schema }) => !plain.has(name) && !description && !schema?.description,
  );
  expect(silent.map(({ name }) => name)).toEqual([]);
  const ofBodies = operation['requestBody'] ? ['400', '413', '415'] : [];
  expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(ofBodies));
});

interface Media {
  readonly description?: string;
  readonly content?: Record<
    string,
    { schema: Schema; example?: unknown; examples?: Record<string, { value: unknown }> }
  >;
}
interface Schema {
  readonly $ref?: string;
  readonly examples?: unknown[];
  readonly description?: string;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ ...document, $id: 'openapi' });

/** What a schema, or the component that it is, gives as examples. */
function ownExamples({ $ref: reference, examples = [] }: Schema): unknown[] {
  const named = document.components.schemas[reference?.split('/').at(-1) ?? ''] as Schema | undefined;
  return [...examples, ...(named?.examples ?? [])];
}

const bodies = operations.flatMap(({ name, operation }) => {
  const request = operation['requestBody'] as Media | undefined;
  const answers = Object.entries(operation.responses as Record<string, Media>);
  const all = [...(request ? [['the request', request] as const] : []), ...answers];
  return all.flatMap(([of, { content = {} }]) =>
    Object.entries(content).map(([type, media]) => ({ name: `${name}: ${of} as ${type}`, type, media })),
  );
});

test.each(bodies)('$name has examples, which all fit its schema', ({ type, media }) => {
  const { schema, example, examples = {} } = media;
  const given = Object.values(examples).map(({ value }) => value);
  const all = [...(example === undefined ? [] : [example]), ...given, ...ownExamples(schema)];
  const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components');
  const check = ajv.compile(JSON.parse(text) as object);
  const wrong = all.filter((one) => !check(one)).map((one) => ({ one, errors: ajv.errorsText(check.errors) }));
  expect(wrong).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(type.includes('json') ? 1 : 0);
});
