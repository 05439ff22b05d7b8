import { expect, test } from '@jest/globals';
import type { Express } from 'express';
import { openApiDocument } from './openapi.ts';
import { startTestApi } from './test-api.ts';

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
type Operation = Record<string, unknown> & {
  responses: Record<string, unknown>;
  parameters?: { name: string; in: string }[];
};
// As a client gets it.
const document = JSON.parse(JSON.stringify(openApiDocument())) as {
  openapi: string;
  paths: Record<string, Partial<Record<(typeof methods)[number], Operation>>>;
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

test('operation ids are unique', () => {
  const ids = operations.map(({ operation }) => operation['operationId']);
  expect(new Set(ids).size).toBe(ids.length);
});
