import * as z from 'zod';
import { failureCodes, failures, type FailureCode } from '@bunri/queue-contracts';
import { activeTraceId, PermanentError, TransientError } from '@bunri/runtime';

/** What only the API answers; the failures of a request come from the contracts, with the same codes and statuses. */
const apiProblems = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'An API key is needed' },
  forbidden: { status: 403, title: 'The API key may not do this' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'The path has no such method' },
  not_acceptable: { status: 406, title: 'The answer has another media type' },
  request_timeout: { status: 408, title: 'The request came too slowly' },
  already_ended: { status: 409, title: 'The request has already ended' },
  not_ended: { status: 409, title: 'The request has not ended yet' },
  not_dead_letter: { status: 409, title: 'The request is no dead letter' },
  not_replayable: { status: 409, title: 'The request cannot be replayed' },
  upload_missing: { status: 409, title: 'Nothing has been uploaded yet' },
  webhook_secret_unreadable: { status: 409, title: 'The webhook secret cannot be read any more' },
  webhooks_disabled: { status: 409, title: 'Webhooks are not set up here' },
  not_completed: { status: 409, title: 'The request has no answer to go on from' },
  batch_state_conflict: { status: 409, title: 'The batch is not in a state for that' },
  request_lost: { status: 410, title: 'The request was lost' },
  classification_gone: { status: 410, title: 'What was seen in the photo is not kept any more' },
  results_gone: { status: 410, title: 'The results are not kept any more' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  media_type_unsupported: { status: 415, title: 'The media type of the body is not supported' },
  model_unknown: { status: 422, title: 'No such model is served' },
  upload_unknown: { status: 422, title: 'There is no such upload' },
  upload_mismatch: { status: 422, title: 'The uploaded object is not what was announced' },
  webhook_url_forbidden: { status: 422, title: 'The webhook URL is not allowed' },
  item_unknown: { status: 422, title: 'The catalogue has no such item' },
  batch_invalid: { status: 422, title: 'Rows of the batch are not valid' },
  idempotency_conflict: { status: 422, title: 'The idempotency key belongs to another request' },
  rate_limited: { status: 429, title: 'Too many requests' },
  overloaded: { status: 503, title: 'The answer would come too late' },
  service_unavailable: { status: 503, title: 'The service is not available' },
} as const;

export type ProblemCode = keyof typeof apiProblems | FailureCode;
export const problemCodes = [...Object.keys(apiProblems), ...failureCodes] as [ProblemCode, ...ProblemCode[]];

const fieldErrorSchema = z.object({
  row: z.int().nonnegative().optional().meta({ description: 'Of a batch’s input; 0 for the input as a whole.' }),
  field: z.string().meta({ description: 'Name of the field, header or query parameter.' }),
  message: z.string(),
});

/** The body of every error: RFC 9457, with a code to switch on. */
export const problemSchema = z
  .object({
    type: z.string().meta({ description: '`urn:bunri:problem:` and the code; stable.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What happened and what to do.' }),
    code: z.enum(problemCodes),
    request_id: z.string().meta({ description: 'The answer’s `x-request-id`, for support.' }),
    trace_id: z.string().optional().meta({ description: 'Of the trace of this exchange, where it is traced.' }),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem' });
export type ProblemDocument = z.infer<typeof problemSchema>;
export type FieldError = z.infer<typeof fieldErrorSchema>;

interface ProblemExtras {
  readonly errors?: readonly FieldError[];
  /** Seconds after which the same request may succeed. */
  readonly retryAfterS?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error that the client is told as it is. The message says what to do and quotes no secret, question or image. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string, { errors = [], retryAfterS, headers, cause }: ProblemExtras = {}) {
    super(detail, { cause });
    this.code = code;
    this.errors = errors;
    this.headers = { ...headers, ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }) };
  }

  get status(): number {
    return definitionOf(this.code).status;
  }
}

function definitionOf(code: ProblemCode): { status: number; title: string } {
  return code in apiProblems ? apiProblems[code as keyof typeof apiProblems] : failures[code as FailureCode];
}

export function problemDocument(problem: Problem, requestId: string): ProblemDocument {
  const traceId = activeTraceId();
  return {
    type: `urn:bunri:problem:${problem.code}`,
    title: definitionOf(problem.code).title,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    request_id: requestId,
    ...(traceId === undefined ? {} : { trace_id: traceId }),
    ...(problem.errors.length > 0 ? { errors: [...problem.errors] } : {}),
  };
}

export function invalidField(field: string, message: string): Problem {
  return invalidFields([{ field, message }]);
}

function invalidFields(errors: FieldError[]): Problem {
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new Problem('invalid_request', `Correct these fields and send the request again: ${detail}.`, { errors });
}

/** Input by its schema. @throws Problem `invalid_request` that names every field that is wrong. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalidFields(
    result.error.issues.flatMap((issue) => {
      if (issue.code === 'unrecognized_keys') return issue.keys.map((field) => ({ field, message: 'is not known' }));
      return [{ field: issue.path.join('.') || 'body', message: lowerFirst(issue.message) }];
    }),
  );
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

export const retryAfterOutageS = 5;

export function serviceUnavailable(cause?: unknown): Problem {
  return new Problem(
    'service_unavailable',
    `The queue cannot be reached at the moment. Send the request again in ${retryAfterOutageS} seconds.`,
    { retryAfterS: retryAfterOutageS, cause },
  );
}

/**
 * What a client is told about any error. An error that nobody expected tells nothing of itself; where Redis does not
 * answer, its absence is taken for the cause.
 */
export async function toProblem(error: unknown, redisAnswers: () => Promise<boolean>): Promise<Problem> {
  if (error instanceof Problem) return error;
  if (error instanceof PermanentError || error instanceof TransientError) return fromStageError(error);
  const refused = fromHttpError(error);
  if (refused) return refused;
  if (isStoreRefusal(error) || !(await redisAnswers())) return serviceUnavailable(error);
  const detail = 'Something broke on our side. Send the request again; if it happens again, report the request_id.';
  return new Problem('internal_error', detail, { cause: error });
}

/**
 * Redis answers, but takes nothing now: it is full, loads its data, has become a replica, cannot write to its disk, or
 * another node of its cluster has our keys now. Or this process was so busy that an answer did not come to it in time.
 */
function isStoreRefusal(error: unknown): boolean {
  if (error instanceof Error && error.message === 'Command timed out') return true;
  const message = error instanceof Error && error.name === 'ReplyError' ? error.message : '';
  return /^(OOM|LOADING|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MOVED|ASK|TRYAGAIN|EXECABORT)\b/.test(
    message,
  );
}

function fromStageError(error: PermanentError | TransientError): Problem {
  const retry = failures[error.code].status === 503 ? { retryAfterS: retryAfterOutageS } : {};
  return new Problem(error.code, error.message, { ...retry, cause: error });
}

export function jsonTooLarge(): Problem {
  return new Problem(
    'body_too_large',
    'Send a smaller JSON body: at most 64 kB with a photo’s URL, 16 kB elsewhere. Photos go into a multipart form.',
  );
}

/** Errors of Express and its body parser carry a status and mostly a type. */
function fromHttpError(error: unknown): Problem | null {
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  if (typeof status !== 'number' || status < 400 || status >= 500) return null;
  switch (type) {
    case 'entity.too.large':
      return jsonTooLarge();
    case 'entity.parse.failed':
      return new Problem('invalid_request', 'The body is not JSON. Correct it and send the request again.');
    case 'charset.unsupported':
    case 'encoding.unsupported':
      return new Problem('media_type_unsupported', 'Send the body in UTF-8, plain or with gzip.');
    default:
      return new Problem('invalid_request', 'The request cannot be read. Check its path, headers and body.');
  }
}
