import * as z from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import { eventTypes, resourceSchema } from '@bunri/queue-contracts';
import { publicItemsSchema } from '@bunri/knowledge';
import { listSchema, pageSchema } from './listing.ts';
import { adminPaths } from './openapi-admin.ts';
import { clarificationPaths } from './openapi-clarifications.ts';
import { admission, idPath, json, problems } from './openapi-parts.ts';
import { eventsQuerySchema } from './routes/events.ts';
import { itemsQuerySchema } from './routes/items.ts';
import { itemsPageQuerySchema } from './routes/items-page.ts';
import { queuesSchema } from './routes/queues.ts';
import { formSchema, idempotencyHeaderField, submitQuerySchema, urlSubmissionSchema } from './submission.ts';
import { acceptedSchema, classificationPath, preferHeaderField } from './submitted-answer.ts';
import { maxImageBytes } from './photo.ts';

/** OpenAPI 3.1, from the schemas that validate. */
export function openApiDocument(): ReturnType<typeof createDocument> {
  return createDocument({
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
      { name: 'catalogue', description: 'Things and the rules that hold for them.' },
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
    paths: { ...classificationPaths(), ...clarificationPaths(), ...otherPaths(), ...adminPaths() },
  });
}

function classificationPaths(): ZodOpenApiPathsObject {
  return {
    [classificationPath]: { post: submitOperation(), get: listOperation() },
    [`${classificationPath}/{id}`]: {
      get: {
        operationId: 'getClassification',
        summary: 'A request as it stands',
        tags: ['classifications'],
        requestParams: { path: idPath },
        responses: {
          200: { description: 'The request.', content: json(resourceSchema) },
          ...problems('not_found', 'request_lost', ...admission),
        },
      },
      delete: {
        operationId: 'cancelClassification',
        summary: 'Cancel a request',
        description:
          'Nothing more is queued for it, and a model call in flight is aborted, in whatever process it runs.',
        tags: ['classifications'],
        requestParams: { path: idPath },
        responses: {
          200: { description: 'The canceled request.', content: json(resourceSchema) },
          ...problems('not_found', 'request_lost', 'already_ended', ...admission),
        },
      },
    },
    [`${classificationPath}/{id}/events`]: { get: eventsOperation() },
  };
}

function submitOperation(): ZodOpenApiOperationObject {
  const image = z.string().meta({
    description: `JPEG, PNG, WebP or AVIF of at most ${maxImageBytes / 2 ** 20} MiB.`,
    override: { contentMediaType: 'application/octet-stream' },
  });
  const finished = { description: 'The finished request: known already, or ready within `Prefer: wait`.' };
  return {
    operationId: 'createClassification',
    summary: 'Ask about a photo',
    description:
      'A request whose answer is not expected before its deadline is refused with `overloaded` before the photo is read. ' +
      'What is judged by is `priority` and `deadline`: give them in the query, or in the form in front of the photo; ' +
      'what has not been given by then counts with its default. A query and a body that contradict each other are refused.',
    tags: ['classifications'],
    requestParams: {
      query: submitQuerySchema,
      header: z.object({
        'Idempotency-Key': idempotencyHeaderField,
        Prefer: preferHeaderField,
      }),
    },
    requestBody: {
      required: true,
      content: {
        'multipart/form-data': { schema: z.object({ image, ...formSchema.shape }) },
        ...json(urlSubmissionSchema),
      },
    },
    responses: {
      200: { ...finished, content: json(resourceSchema) },
      202: { description: 'Accepted; `Location` is where the answer will be.', content: json(acceptedSchema) },
      ...problems(
        'invalid_request',
        'image_empty',
        'body_too_large',
        'image_too_large',
        'media_type_unsupported',
        'image_type_unsupported',
        'image_animated',
        'image_url_forbidden',
        'idempotency_conflict',
        'spending_cap_reached',
        'request_lost',
        'overloaded',
        'storage_unavailable',
        ...admission,
      ),
    },
  };
}

function listOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'listClassifications',
    summary: 'Your requests, newest first',
    tags: ['classifications'],
    requestParams: { query: pageSchema },
    responses: {
      200: { description: 'One page.', content: json(listSchema) },
      ...problems('invalid_request', ...admission),
    },
  };
}

function eventsOperation(): ZodOpenApiOperationObject {
  const stream = z.string().meta({
    description: `Server-sent events: ${eventTypes.join(', ')}. The id is the event’s number in the request, from 1 without gaps; the data of the last one holds the finished \`resource\`. A request that was lost ends with an \`error\` that has no id and holds the problem document.`,
  });
  return {
    operationId: 'followClassification',
    summary: 'Follow a request as server-sent events',
    description: 'A client that comes back with the last id that it saw misses nothing and gets nothing twice.',
    tags: ['classifications'],
    requestParams: {
      path: idPath,
      query: eventsQuerySchema,
      header: z.object({
        'Last-Event-ID': eventsQuerySchema.shape.last_event_id.meta({
          description: 'The id of the last event that was seen.',
        }),
      }),
    },
    responses: {
      200: { description: 'The events, until the request ends.', content: { 'text/event-stream': { schema: stream } } },
      204: { description: 'The request has ended and every event of it was seen: do not connect again.' },
      ...problems('invalid_request', 'not_found', 'request_lost', 'not_acceptable', ...admission),
    },
  };
}

function otherPaths(): ZodOpenApiPathsObject {
  const text = { 'text/plain': { schema: z.string() } };
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
          200: { description: 'Items with their rules and sources.', content: json(publicItemsSchema) },
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
          200: { description: 'The queues in the order of the pipeline.', content: json(queuesSchema) },
          ...problems(...admission),
        },
      },
    },
    '/healthz': open('getHealth', 'Whether the process lives', { 200: { description: 'It does.', content: text } }),
    '/readyz': open('getReadiness', 'Whether the process can serve', {
      200: { description: 'It can.', content: json(readiness) },
      503: { description: 'It cannot; `failing` says why.', content: json(readiness) },
    }),
    '/metrics': open('getMetrics', 'Measurements for Prometheus', {
      200: { description: 'Text exposition format.', content: text },
    }),
    '/openapi.json': open('getOpenApi', 'This document', {
      200: { description: 'OpenAPI 3.1.', content: json(z.looseObject({ openapi: z.string() })) },
    }),
  };
}

/** An operation that needs no key. */
function open(operationId: string, summary: string, responses: ZodOpenApiResponsesObject) {
  return { get: { operationId, summary, tags: ['operation'], security: [], responses } };
}
