import * as z from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { eventTypes, resourceSchema } from '@bunri/queue-contracts';
import { deletionSchema } from './deletion.ts';
import { listQuerySchema, listSchema } from './listing.ts';
import {
  acceptedExample,
  canceledExample,
  deletionExample,
  eventsExample,
  resourceExample,
  uploadExample,
} from './openapi-examples.ts';
import { admission, idPath, json, jsonBody, problems } from './openapi-parts.ts';
import { maxImageBytes } from './photo.ts';
import { eventsQuerySchema } from './routes/events.ts';
import { uploadPath } from './routes/uploads.ts';
import { formSchema, idempotencyHeaderField, submitQuerySchema, urlSubmissionSchema } from './submission.ts';
import { acceptedSchema, classificationPath, preferHeaderField, standingSchema } from './submitted-answer.ts';
import { uploadBodySchema, uploadSchema } from './uploads.ts';

const tags = ['classifications'];
const preferHeader = z.object({ Prefer: preferHeaderField });
const finished = 'The finished request: known already, or ready within `Prefer: wait`.';

/** Requests from their submission to their end. */
export function classificationPaths(): ZodOpenApiPathsObject {
  return {
    [uploadPath]: { post: uploadOperation() },
    [classificationPath]: { post: submitOperation(), get: listOperation() },
    [`${classificationPath}/{id}`]: { get: readOperation(), delete: deleteOperation() },
    [`${classificationPath}/{id}/cancel`]: { post: cancelOperation() },
    [`${classificationPath}/{id}/events`]: { get: eventsOperation() },
  };
}

function uploadOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'createUpload',
    summary: 'A place to put a photo',
    description:
      'The answer has a URL of the bucket: PUT the photo there with the headers that are given, then submit its `upload_id`. ' +
      'The id belongs to you, may be submitted several times while it is good, and ends with the deletion of the last request made of it. ' +
      'What is put in the place of an accepted photo is not read: such a request fails with `image_changed`. Photos that are never submitted go with their retention.',
    tags,
    requestBody: {
      required: true,
      content: json(uploadBodySchema, { size_bytes: 483_112, content_type: 'image/jpeg' }),
    },
    responses: {
      201: { description: 'Where and how to put it.', content: json(uploadSchema, uploadExample) },
      ...problems(...jsonBody, 'image_too_large', 'spending_cap_reached', ...admission),
    },
  };
}

function submitOperation(): ZodOpenApiOperationObject {
  const image = z.string().meta({
    description: `JPEG, PNG, WebP or AVIF of at most ${maxImageBytes / 2 ** 20} MiB; or else \`upload_id\`.`,
    override: { contentMediaType: 'application/octet-stream' },
  });
  const form = z.object({ image: image.optional(), ...formSchema.shape });
  const fields = { question: '뚜껑은 어떻게 하나요?', locale: 'ko', metadata: { ticket: '4711' } } as const;
  return {
    operationId: 'createClassification',
    summary: 'Ask about a photo',
    description:
      'A request whose answer is not expected before its deadline is refused with `overloaded` before the photo is read. ' +
      'What is judged by is `priority` and `deadline`: give them in the query, or in the form in front of the photo; ' +
      'what has not been given by then counts with its default. A query and a body that contradict each other are refused. ' +
      'Under one `Idempotency-Key` everything counts that you send: the photo, the question, and every option.',
    tags,
    requestParams: {
      query: submitQuerySchema,
      header: z.object({ 'Idempotency-Key': idempotencyHeaderField, Prefer: preferHeaderField }),
    },
    requestBody: {
      required: true,
      content: {
        'multipart/form-data': { schema: form, example: { ...fields, upload_id: uploadExample.upload_id } },
        ...json(urlSubmissionSchema, { image_url: 'https://example.com/bottle.jpg', ...fields }),
      },
    },
    responses: {
      200: { description: finished, content: json(resourceSchema, resourceExample) },
      202: {
        description: 'Accepted; `Location` is where the answer will be.',
        content: json(acceptedSchema, acceptedExample),
      },
      ...problems(
        ...jsonBody,
        ...(['image_empty', 'image_too_large', 'image_type_unsupported', 'image_animated'] as const),
        ...(['image_url_forbidden', 'webhook_url_forbidden', 'model_unknown'] as const),
        ...(['upload_unknown', 'upload_missing', 'upload_mismatch'] as const),
        ...(['idempotency_conflict', 'spending_cap_reached', 'request_lost', 'overloaded'] as const),
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
    description:
      'A page looks at 300 requests at most. With filters it may therefore be short, or empty, and still have a `next_cursor`; send the same filters with it.',
    tags,
    requestParams: { query: listQuerySchema },
    responses: {
      200: { description: 'One page.', content: json(listSchema, { data: [resourceExample], next_cursor: null }) },
      ...problems('invalid_request', ...admission),
    },
  };
}

function readOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'getClassification',
    summary: 'A request as it stands',
    description:
      'While it is queued, with its place in the line as it is now. With `Prefer: wait=N` as it stands when it has ended, or after N seconds.',
    tags,
    requestParams: { path: idPath, header: preferHeader },
    responses: {
      200: { description: 'The request.', content: json(standingSchema, resourceExample) },
      ...problems('invalid_request', 'not_found', 'request_lost', ...admission),
    },
  };
}

const canceling = 'Nothing more is queued for it, and a model call in flight is aborted, in whatever process it runs.';

function cancelOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'cancelClassification',
    summary: 'Cancel a request',
    description: `${canceling} One that was canceled before is answered alike.`,
    tags,
    requestParams: { path: idPath },
    responses: {
      200: { description: 'The canceled request.', content: json(resourceSchema, canceledExample) },
      ...problems('invalid_request', 'not_found', 'request_lost', 'already_ended', ...admission),
    },
  };
}

function deleteOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'deleteClassification',
    summary: 'Cancel an open request, or remove one that has ended',
    description:
      `An open request is canceled. ${canceling} One that has ended is removed, with its photo and all that was made of it, ` +
      'unless other requests refer to that; the answer says of each what became of it. Of a row of a batch, the results tell from then on how it ended, and by what name it was sent; what was sent to the batch goes with that. ' +
      'Where it breaks off, send it again.',
    tags,
    requestParams: { path: idPath },
    responses: {
      200: {
        description: 'The canceled request, or what became of the removed one.',
        content: {
          'application/json': {
            schema: z.union([resourceSchema, deletionSchema]),
            examples: { canceled: { value: canceledExample }, deleted: { value: deletionExample } },
          },
        },
      },
      ...problems(
        ...([
          'invalid_request',
          'not_found',
          'request_lost',
          'already_ended',
          'not_ended',
          'batch_state_conflict',
        ] as const),
        'storage_unavailable',
        ...admission,
      ),
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
    tags,
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
      200: {
        description: 'The events, until the request ends.',
        content: { 'text/event-stream': { schema: stream, example: eventsExample } },
      },
      204: { description: 'The request has ended and every event of it was seen: do not connect again.' },
      ...problems('invalid_request', 'not_found', 'request_lost', 'not_acceptable', ...admission),
    },
  };
}
