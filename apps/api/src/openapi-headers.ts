import type { createDocument } from 'zod-openapi';

type Document = ReturnType<typeof createDocument>;

/** A type and no interface, which would not be assignable to the open type of the document. */
type Header = {
  readonly description: string;
  readonly required: boolean;
  readonly schema: { readonly type: 'string' | 'integer' };
};

const text = (description: string, required = false): Header => ({ description, required, schema: { type: 'string' } });

/** Headers that answers carry, by the name under which the document describes them once. */
const headers = {
  RequestId: text('Names this exchange in the logs: the one that was sent, or a new one.', true),
  RateLimit: text('Requests left to this key, and seconds until the count begins anew; once the key is known.'),
  RateLimitPolicy: text('Requests that this key may send in a window, and its seconds; once the key is known.'),
  RetryAfter: { description: 'Seconds to wait before the same again.', required: false, schema: { type: 'integer' } },
  Location: text('Where to look at what was begun or found.'),
  IdempotentReplayed: text('`true` where this answers a request that was sent before.'),
  PreferenceApplied: text('`wait=N`, where the answer was waited for.'),
  EntityTag: text('For `If-None-Match`.'),
} as const satisfies Record<string, Header>;
type HeaderName = keyof typeof headers;

/** As they stand in an answer. */
export const sentAs: Record<HeaderName, string> = {
  RequestId: 'X-Request-Id',
  RateLimit: 'RateLimit',
  RateLimitPolicy: 'RateLimit-Policy',
  RetryAfter: 'Retry-After',
  Location: 'Location',
  IdempotentReplayed: 'Idempotent-Replayed',
  PreferenceApplied: 'Preference-Applied',
  EntityTag: 'ETag',
};

/** What successful answers of an operation have besides what all have. */
const ofOperation: Readonly<Record<string, readonly HeaderName[]>> = {
  createClassification: ['Location', 'IdempotentReplayed', 'PreferenceApplied'],
  clarifyClassification: ['Location', 'IdempotentReplayed', 'PreferenceApplied'],
  replayClassification: ['Location', 'IdempotentReplayed'],
  createBatch: ['Location', 'IdempotentReplayed'],
  deleteBatch: ['RetryAfter'],
  getClassification: ['PreferenceApplied'],
  resendWebhookDelivery: ['Location'],
  testWebhook: ['Location'],
  listItems: ['EntityTag'],
  getPage: ['EntityTag'],
  getDocs: ['EntityTag'],
  getPageAsset: ['EntityTag'],
  getOpsPage: ['EntityTag'],
  getOpsAsset: ['EntityTag'],
  // Whoever has no session is sent to where one is opened.
  getBoard: ['Location'],
};
/** What every answer of an operation may have. */
const alwaysOf: Readonly<Record<string, readonly HeaderName[]>> = {
  // Its 404 is a page, too.
  getItemsPage: ['EntityTag'],
  // Needs a session instead of a key, which is counted like its key.
  getBoard: ['RateLimit', 'RateLimitPolicy'],
};
const toBeRetried = ['402', '409', '429', '503'];

interface Operation {
  readonly operationId?: string;
  readonly security?: readonly object[];
  readonly responses?: Record<string, { headers?: Record<string, { $ref: string }> }>;
}

/** The document with the headers of every answer, which follow from its operation and its status. Changes it in place. */
export function describeHeaders(document: Document): Document {
  for (const item of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(item as Record<string, Operation>)) {
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        const names = namesFor(operation, status).map((name) => [
          sentAs[name],
          { $ref: `#/components/headers/${name}` },
        ]);
        response.headers = { ...response.headers, ...Object.fromEntries(names) };
      }
    }
  }
  document.components = { ...document.components, headers };
  return document;
}

function namesFor({ operationId = '', security }: Operation, status: string): HeaderName[] {
  const needsKey = security === undefined || security.length > 0;
  return [
    'RequestId',
    ...(needsKey && status !== '401' ? (['RateLimit', 'RateLimitPolicy'] as const) : []),
    ...(toBeRetried.includes(status) ? (['RetryAfter'] as const) : []),
    ...(alwaysOf[operationId] ?? []),
    ...(/^[23]/.test(status) ? (ofOperation[operationId] ?? []) : []),
  ];
}
