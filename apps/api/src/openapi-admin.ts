import * as z from 'zod';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import {
  deadLetterPageSchema,
  handledManySchema,
  handledSchema,
  inspectionSchema,
  replayDiffSchema,
} from '@bunri/runtime';
import {
  deadLetterPageExample,
  inspectionExample,
  purgedExample,
  purgedManyExample,
  reopenedExample,
  reopenedManyExample,
  replayDiffExample,
  replayExample,
} from './openapi-admin-examples.ts';
import { admission, idPath, json, jsonBody, problems } from './openapi-parts.ts';
import {
  deadLetterPageQuerySchema,
  deadLetterPath,
  inspectionQuerySchema,
  purgeQuerySchema,
  retryBodySchema,
  retryManyBodySchema,
} from './routes/dead-letters.ts';
import { adminPath, replayAcceptedSchema, replayBodySchema } from './routes/replays.ts';
import { idempotencyHeaderField } from './submission.ts';

const idempotencyHeader = z.object({ 'Idempotency-Key': idempotencyHeaderField });
const tags = ['administration'];
const keptUploads = 'Uploads and images stay until their own retention ends.';
const bounded = 'At most a thousand a call, the newest first; `left` says how many more there are.';

/** What a key with the scope `admin` may do, for requests of every owner. */
export function adminPaths(): ZodOpenApiPathsObject {
  return { ...deadLetterPaths(), ...oneDeadLetterPaths(), ...requestPaths() };
}

function deadLetterPaths(): ZodOpenApiPathsObject {
  return {
    [deadLetterPath]: {
      get: {
        operationId: 'listDeadLetters',
        summary: 'Requests that failed on our side or the provider’s, newest first',
        tags,
        requestParams: { query: deadLetterPageQuerySchema },
        responses: {
          200: { description: 'One page.', content: json(deadLetterPageSchema, deadLetterPageExample) },
          ...problems('invalid_request', ...admission),
        },
      },
      delete: {
        operationId: 'purgeDeadLetters',
        summary: 'Remove what fits a filter, or all',
        description: `Without a filter, \`all=true\` has to say so. ${bounded} ${keptUploads}`,
        tags,
        requestParams: { query: purgeQuerySchema },
        responses: {
          200: { description: 'What came of each.', content: json(handledManySchema, purgedManyExample) },
          ...problems('invalid_request', ...admission),
        },
      },
    },
    [`${deadLetterPath}/retry`]: {
      post: {
        operationId: 'retryDeadLetters',
        summary: 'Retry what fits a filter, or all',
        description: `Without a filter, \`all: true\` has to say so. ${bounded}`,
        tags,
        requestBody: {
          required: true,
          content: json(retryManyBodySchema, { code: 'model_unavailable', deadline: 3600 }),
        },
        responses: {
          200: { description: 'What came of each.', content: json(handledManySchema, reopenedManyExample) },
          ...problems(...jsonBody, ...admission),
        },
      },
    },
  };
}

function oneDeadLetterPaths(): ZodOpenApiPathsObject {
  return {
    [`${deadLetterPath}/{id}`]: {
      get: {
        operationId: 'getDeadLetter',
        summary: 'A dead letter with its stages and jobs',
        tags,
        requestParams: { path: idPath, query: inspectionQuerySchema },
        responses: {
          200: { description: 'The dead letter.', content: json(inspectionSchema, inspectionExample) },
          ...problems('invalid_request', 'not_found', ...admission),
        },
      },
      delete: {
        operationId: 'purgeDeadLetter',
        summary: 'Remove a dead letter',
        description: keptUploads,
        tags,
        requestParams: { path: idPath },
        responses: {
          200: { description: 'It is removed.', content: json(handledSchema, purgedExample) },
          ...problems('not_found', 'not_dead_letter', ...admission),
        },
      },
    },
    [`${deadLetterPath}/{id}/retry`]: {
      post: {
        operationId: 'retryDeadLetter',
        summary: 'Retry a dead letter from the stage that failed on',
        tags,
        requestParams: { path: idPath },
        requestBody: { content: json(retryBodySchema, { deadline: 3600, priority: 'batch' }) },
        responses: {
          202: { description: 'It is open again.', content: json(handledSchema, reopenedExample) },
          ...problems(...(['not_found', 'not_dead_letter'] as const), ...jsonBody, ...admission),
        },
      },
    },
  };
}

function requestPaths(): ZodOpenApiPathsObject {
  return {
    [`${adminPath}/{id}`]: {
      get: {
        operationId: 'inspectClassification',
        summary: 'Any request with its stages and jobs',
        tags,
        requestParams: { path: idPath, query: inspectionQuerySchema },
        responses: {
          200: { description: 'The request.', content: json(inspectionSchema, inspectionExample) },
          ...problems('invalid_request', 'not_found', ...admission),
        },
      },
    },
    [`${adminPath}/{id}/replay`]: {
      post: {
        operationId: 'replayClassification',
        summary: 'Run a finished request again, to compare',
        description:
          'With another model, or with the configured ones and the present prompts. What the change does not touch is taken over, and costs nothing.',
        tags,
        requestParams: { path: idPath, header: idempotencyHeader },
        requestBody: { content: json(replayBodySchema, { llm_model: 'gpt-5-mini' }) },
        responses: {
          202: { description: 'The replay is accepted.', content: json(replayAcceptedSchema, replayExample) },
          ...problems(
            ...jsonBody,
            ...(['not_found', 'not_ended', 'not_replayable', 'idempotency_conflict'] as const),
            ...admission,
          ),
        },
      },
    },
    [`${adminPath}/{id}/diff`]: {
      get: {
        operationId: 'diffReplay',
        summary: 'What a replay changed, and what it cost',
        tags,
        requestParams: { path: idPath },
        responses: {
          200: { description: 'The differences.', content: json(replayDiffSchema, replayDiffExample) },
          ...problems('not_found', 'not_ended', ...admission),
        },
      },
    },
  };
}
