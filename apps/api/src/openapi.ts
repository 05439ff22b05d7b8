import * as z from 'zod';
import { createDocument, type ZodOpenApiPathsObject, type ZodOpenApiResponsesObject } from 'zod-openapi';
import { publicItemsSchema } from '@bunri/knowledge';
import { batchPaths } from './openapi-batches.ts';
import { adminPaths } from './openapi-admin.ts';
import { clarificationPaths } from './openapi-clarifications.ts';
import { classificationPaths } from './openapi-classifications.ts';
import { itemsExample, queuesExample } from './openapi-examples.ts';
import { describeHeaders } from './openapi-headers.ts';
import { admission, json, problems } from './openapi-parts.ts';
import { pagePaths } from './openapi-page.ts';
import { operationPaths } from './openapi-stats.ts';
import { webhookMessages, webhookPaths } from './openapi-webhooks.ts';
import { itemsQuerySchema } from './routes/items.ts';
import { itemsPageQuerySchema } from './routes/items-page.ts';
import { queuesSchema } from './routes/queues.ts';

/** OpenAPI 3.1, from the schemas that validate. */
export function openApiDocument(): ReturnType<typeof createDocument> {
  const document = createDocument({
    openapi: '3.1.1',
    info: {
      title: 'bunri',
      version: '1',
      description: 'A photo of a thing and a question in, guidance on its separate disposal in Korea (분리배출) out.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { header: [] }],
    tags: [
      { name: 'classifications', description: 'Requests and their answers.' },
      { name: 'batches', description: 'Many photos at once, from CSV, JSON Lines or a ZIP.' },
      { name: 'catalogue', description: 'Things and the rules that hold for them.' },
      { name: 'webhooks', description: 'Being told of the end of a request instead of asking.' },
      { name: 'operation', description: 'How the service is doing.' },
      {
        name: 'administration',
        description: 'Failed requests, comparisons and feedback, for keys with the scope `admin`.',
      },
    ],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key: `<id>.<secret>`.' },
        header: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: 'The same key in a header of its own.',
        },
      },
    },
    paths: {
      ...classificationPaths(),
      ...clarificationPaths(),
      ...batchPaths(),
      ...pagePaths(),
      ...otherPaths(),
      ...adminPaths(),
      ...operationPaths(),
      ...webhookPaths(),
    },
    webhooks: webhookMessages(),
  });
  return describeHeaders(document);
}

function otherPaths(): ZodOpenApiPathsObject {
  const text = { 'text/plain': { schema: z.string(), example: 'ok\n' } };
  const page = { 'text/html': { schema: z.string() } };
  const readiness = z.object({ ready: z.boolean(), failing: z.array(z.string()) });
  return {
    '/v1/items': {
      get: {
        operationId: 'listItems',
        summary: 'The item catalogue, or the items that match',
        tags: ['catalogue'],
        requestParams: { query: itemsQuerySchema },
        responses: {
          200: { description: 'Items with their rules and sources.', content: json(publicItemsSchema, itemsExample()) },
          304: { description: 'The catalogue that `If-None-Match` names is the current one.' },
          ...problems('invalid_request', ...admission),
        },
      },
    },
    '/items': {
      get: {
        operationId: 'getItemsPage',
        summary: 'The item catalogue as a page for people',
        tags: ['catalogue'],
        security: [],
        requestParams: { query: itemsPageQuerySchema },
        responses: {
          200: { description: 'A page that needs no script.', content: page },
          304: { description: 'The page that `If-None-Match` names is the current one.' },
          404: { description: 'The same page without the item, which does not exist.', content: page },
          ...problems('invalid_request'),
        },
      },
    },
    '/v1/queues': {
      get: {
        operationId: 'listQueues',
        summary: 'How much each stage has to do',
        tags: ['operation'],
        responses: {
          200: { description: 'The queues in the order of the pipeline.', content: json(queuesSchema, queuesExample) },
          ...problems(...admission),
        },
      },
    },
    '/healthz': open('getHealth', 'Whether the process lives', { 200: { description: 'It does.', content: text } }),
    '/readyz': open('getReadiness', 'Whether the process can serve', {
      200: { description: 'It can.', content: json(readiness, { ready: true, failing: [] }) },
      503: {
        description: 'It cannot; `failing` says why.',
        content: json(readiness, { ready: false, failing: ['redis'] }),
      },
    }),
    '/metrics': open('getMetrics', 'Measurements for Prometheus', {
      200: { description: 'Text exposition format.', content: text },
    }),
    '/openapi.json': open('getOpenApi', 'This document', {
      200: { description: 'OpenAPI 3.1.', content: json(z.looseObject({ openapi: z.string() }), { openapi: '3.1.1' }) },
    }),
  };
}

/** An operation that needs no key. */
function open(operationId: string, summary: string, responses: ZodOpenApiResponsesObject) {
  return { get: { operationId, summary, tags: ['operation'], security: [], responses } };
}
