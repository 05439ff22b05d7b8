import * as z from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { resourceSchema } from '@bunri/queue-contracts';
import { evaluationCaseSchema, feedbackBodySchema, feedbackSchema } from './feedback.ts';
import { evaluationCaseExample, feedbackExample } from './openapi-admin-examples.ts';
import { acceptedExample, resourceExample } from './openapi-examples.ts';
import { admission, idPath, json, jsonBody, problems } from './openapi-parts.ts';
import { clarifyBodySchema } from './routes/clarifications.ts';
import { feedbackExportType, feedbackPath, feedbackQuerySchema } from './routes/feedback.ts';
import { acceptedSchema, classificationPath, preferHeaderField } from './submitted-answer.ts';

/** What a person may say of an answer, and what becomes of it. */
export function clarificationPaths(): ZodOpenApiPathsObject {
  return {
    [`${classificationPath}/{id}/clarify`]: { post: clarifyOperation() },
    [`${classificationPath}/{id}/feedback`]: {
      post: {
        operationId: 'giveFeedback',
        summary: 'Say what the thing really is, or whether the answer helped',
        description:
          'For a request that has ended. It is kept for evaluations, changes no answer, and takes the place of earlier feedback on the same request.',
        tags: ['classifications'],
        requestParams: { path: idPath },
        requestBody: {
          required: true,
          content: json(feedbackBodySchema, { item_id: 'clear-pet-bottle', helpful: true }),
        },
        responses: {
          200: { description: 'The feedback as it is kept.', content: json(feedbackSchema, feedbackExample) },
          ...problems(
            ...jsonBody,
            ...(['not_found', 'request_lost', 'not_ended', 'item_unknown', 'storage_unavailable'] as const),
            ...admission,
          ),
        },
      },
    },
    [feedbackPath]: { get: exportOperation() },
  };
}

function clarifyOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'clarifyClassification',
    summary: 'Say what the thing is',
    description:
      'Answers the `clarification` of a completed request, or corrects a completed request that asked nothing. It makes a new request, which goes on with what was seen in the photo and looks up the rules anew; no vision model is asked. ' +
      'The first request stays as it is, and where it had asked it names the latest one in `clarification.answered_by`. ' +
      'The same answer again is the same request, without an `Idempotency-Key`, unless that request failed or was canceled; another answer is another request.',
    tags: ['classifications'],
    requestParams: { path: idPath, header: z.object({ Prefer: preferHeaderField }) },
    requestBody: { required: true, content: json(clarifyBodySchema, { text: '우유팩' }) },
    responses: {
      200: {
        description: 'The finished request, ready within `Prefer: wait` or before.',
        content: json(resourceSchema, resourceExample),
      },
      202: {
        description: 'Accepted; `Location` is where the answer will be.',
        content: json(acceptedSchema, acceptedExample),
      },
      ...problems(
        ...jsonBody,
        ...(['not_found', 'not_ended', 'not_completed', 'request_lost', 'classification_gone'] as const),
        ...(['item_unknown', 'spending_cap_reached', 'overloaded'] as const),
        ...admission,
      ),
    },
  };
}

function exportOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'exportFeedback',
    summary: 'Feedback as cases for an evaluation',
    description:
      'One JSON object a line, of all feedback that says what the thing is, in the order of the requests. An answer that breaks off is not complete.',
    tags: ['administration'],
    requestParams: { query: feedbackQuerySchema },
    responses: {
      200: {
        description: 'The cases.',
        content: { [feedbackExportType]: { schema: evaluationCaseSchema, example: evaluationCaseExample } },
      },
      ...problems('invalid_request', 'not_acceptable', 'storage_unavailable', ...admission),
    },
  };
}
