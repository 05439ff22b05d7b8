/** One field that the API refused. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** What an answer without a problem document of the API is told as, as from a proxy in front of it. */
export const unexpectedAnswer = 'unexpected_answer';

interface ProblemFacts {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;
  readonly errors: readonly FieldError[];
}

/**
 * The API refused a call. `code` is stable and to be switched on; the message says what happened and what to do.
 * `requestId` is for support; `retryAfterMs` is null where the API named no time.
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;
  readonly errors: readonly FieldError[];

  constructor({ status, code, title, detail, retryAfterMs, requestId, errors }: ProblemFacts) {
    super(detail);
    this.status = status;
    this.code = code;
    this.title = title;
    this.retryAfterMs = retryAfterMs;
    this.requestId = requestId;
    this.errors = errors;
  }
}

/** The API could not be reached, or its answer broke off or did not come in time. `cause` is what the last try met. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** Statuses that say "later", and not "no". */
const passingStatuses: readonly number[] = [429, 502, 503, 504];

/** Whether the same call may succeed when it is sent again. */
export function isPassing(error: unknown): error is ProblemError | ConnectionError {
  return error instanceof ConnectionError || (error instanceof ProblemError && passingStatuses.includes(error.status));
}

interface ProblemText {
  readonly code?: unknown;
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly status?: unknown;
  readonly request_id?: unknown;
  readonly errors?: unknown;
}

/** What a refusal says. A body that is no problem document is told by its status alone. */
export async function readProblem(response: Response, now: number): Promise<ProblemError> {
  const text = await response.text();
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), now);
  const requestId = response.headers.get('x-request-id');
  return toProblemError(parseObject(text), response.status, { retryAfterMs, requestId });
}

/** A problem document as it stands in the last event of a stream. @param text JSON */
export function problemOfEvent(text: string): ProblemError {
  return toProblemError(parseObject(text), 500, { retryAfterMs: null, requestId: null });
}

function toProblemError(
  document: ProblemText,
  answered: number,
  known: { retryAfterMs: number | null; requestId: string | null },
): ProblemError {
  const { code, title, detail, status, request_id: requestId, errors } = document;
  return new ProblemError({
    status: typeof status === 'number' ? status : answered,
    code: typeof code === 'string' ? code : unexpectedAnswer,
    title: typeof title === 'string' ? title : `HTTP ${answered}`,
    detail: typeof detail === 'string' ? detail : `The server answered ${answered} without saying why.`,
    retryAfterMs: known.retryAfterMs,
    requestId: typeof requestId === 'string' ? requestId : known.requestId,
    errors: Array.isArray(errors) ? errors.filter(isFieldError) : [],
  });
}

function parseObject(text: string): ProblemText {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isFieldError(value: unknown): value is FieldError {
  if (typeof value !== 'object' || value === null) return false;
  const { field, message } = value as Partial<Record<keyof FieldError, unknown>>;
  return typeof field === 'string' && typeof message === 'string';
}

/** Seconds or a date (RFC 9110, 10.2.3) as ms from now. */
function readRetryAfter(value: string | null, now: number): number | null {
  if (value === null) return null;
  const seconds = Number(value);
  const ms = value.trim() !== '' && Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
