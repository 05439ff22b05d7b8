import * as z from 'zod';
import type { ZodOpenApiObject, ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { batchSchema, resourceSchema } from '@bunri/queue-contracts';
import { eventIdSchema } from '@bunri/webhooks';
import { admission, json, problems } from './openapi-parts.ts';
import {
  deliveryListSchema,
  deliveryQuerySchema,
  deliverySchema,
  webhookPath,
  webhookSecretSchema,
  webhookTestSchema,
} from './routes/webhooks.ts';

const tags = ['webhooks'];
const deliveryIdPath = z.object({ id: eventIdSchema });
const refusals = ['webhooks_disabled', ...admission] as const;

/** What an owner may see and do of its webhooks. */
export function webhookPaths(): ZodOpenApiPathsObject {
  return { ...secretPaths(), ...deliveryPaths() };
}

function secretPaths(): ZodOpenApiPathsObject {
  const responses = { 200: { description: 'The secret.', content: json(webhookSecretSchema) } };
  return {
    [`${webhookPath}/secret`]: {
      get: {
        operationId: 'getWebhookSecret',
        summary: 'The secret that verifies your webhooks',
        description: 'For keys with the scope `submit`, as they may name the URLs that are told.',
        tags,
        responses: { ...responses, ...problems('not_found', 'webhook_secret_unreadable', ...refusals) },
      },
      post: {
        operationId: 'createWebhookSecret',
        summary: 'The same, made where there is none yet',
        tags,
        responses: { ...responses, ...problems('webhook_secret_unreadable', ...refusals) },
      },
    },
    [`${webhookPath}/secret/rotate`]: {
      post: {
        operationId: 'rotateWebhookSecret',
        summary: 'A new secret',
        description:
          'For 24 hours every message has a signature by the former one too. At most three former ones sign along.',
        tags,
        responses: { ...responses, ...problems(...refusals) },
      },
    },
  };
}

function deliveryPaths(): ZodOpenApiPathsObject {
  const accepted = {
    description: 'It will be sent now; `Location` tells what came of it.',
    content: json(deliverySchema),
  };
  return {
    [`${webhookPath}/deliveries`]: {
      get: {
        operationId: 'listWebhookDeliveries',
        summary: 'Your deliveries, newest first',
        description: 'The newest thousand of the last seven days.',
        tags,
        requestParams: { query: deliveryQuerySchema },
        responses: {
          200: { description: 'One page.', content: json(deliveryListSchema) },
          ...problems('invalid_request', ...refusals),
        },
      },
    },
    [`${webhookPath}/deliveries/{id}`]: {
      get: {
        operationId: 'getWebhookDelivery',
        summary: 'A delivery with its attempts',
        tags,
        requestParams: { path: deliveryIdPath },
        responses: {
          200: { description: 'The delivery.', content: json(deliverySchema) },
          ...problems('not_found', ...refusals),
        },
      },
    },
    [`${webhookPath}/deliveries/{id}/resend`]: {
      post: {
        operationId: 'resendWebhookDelivery',
        summary: 'Send it once more, under the same id',
        tags,
        requestParams: { path: deliveryIdPath },
        responses: { 202: accepted, ...problems('not_found', ...refusals) },
      },
    },
    [`${webhookPath}/test`]: {
      post: {
        operationId: 'testWebhook',
        summary: 'Send an event of the type `webhook.test` to a URL',
        tags,
        requestBody: { required: true, content: json(webhookTestSchema) },
        responses: {
          202: accepted,
          ...problems(
            ...(['invalid_request', 'webhook_url_forbidden'] as const),
            ...(['body_too_large', 'media_type_unsupported', 'request_timeout'] as const),
            ...refusals,
          ),
        },
      },
    },
  };
}

const signed = z.object({
  'webhook-id': eventIdSchema,
  'webhook-timestamp': z.string().meta({ description: 'When it was sent, seconds since 1970.' }),
  'webhook-signature': z.string().meta({
    description: '`v1,` and the HMAC-SHA256 of `<id>.<timestamp>.<body>` in base64; several, with spaces between.',
  }),
});

const timestamp = z.iso.datetime().meta({ description: 'When it ended.' });

const classificationMessage = z
  .object({
    type: z.enum(['classification.completed', 'classification.failed', 'classification.canceled']),
    timestamp,
    data: resourceSchema,
  })
  .meta({ id: 'ClassificationEvent' });

const batchMessage = z
  .object({
    type: z.enum(['batch.completed', 'batch.failed', 'batch.canceled', 'batch.paused']),
    timestamp,
    data: batchSchema,
  })
  .meta({ id: 'BatchEvent' });

const testMessage = z
  .object({
    type: z.literal('webhook.test'),
    timestamp: z.iso.datetime().meta({ description: 'When it was asked for.' }),
    data: z.object({ id: z.string(), message: z.string() }),
  })
  .meta({ id: 'WebhookTestEvent' });

/** What is sent to a `webhook_url`. */
export function webhookMessages(): NonNullable<ZodOpenApiObject['webhooks']> {
  return {
    classification: { post: message('onClassificationEnd', 'A request has ended', classificationMessage) },
    batch: { post: message('onBatchRest', 'A batch has ended, or was paused', batchMessage) },
    test: { post: message('onWebhookTest', 'You asked for a test of this URL', testMessage) },
  };
}

function message(operationId: string, summary: string, schema: z.ZodType): ZodOpenApiOperationObject {
  return {
    operationId,
    summary,
    description:
      'Signed as Standard Webhooks says (https://www.standardwebhooks.com); verify it with any of its libraries. ' +
      'It comes at least once: the same `webhook-id` is the same event. Without an answer of 2xx within 15 seconds it ' +
      'comes again, up to ten times over three days and as long as what it tells of can be read; an answer of 410 ends ' +
      'that, and redirects are not followed.',
    tags,
    security: [],
    requestParams: { header: signed },
    requestBody: { required: true, content: json(schema) },
    responses: { '2XX': { description: 'It is received.' }, 410: { description: 'Nobody listens here any more.' } },
  };
}
