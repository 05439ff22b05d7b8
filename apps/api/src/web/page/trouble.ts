import { ConnectionError, ProblemError, type Resource } from '@bunri/client';
import type { AdviceKind, Words } from './words.ts';

/** What went wrong, for a person. */
export interface Trouble {
  readonly code: string;
  readonly advice: AdviceKind;
  /** For support; null where the server was not reached. */
  readonly reference: string | null;
  /** What the server says of it, in English; null where nothing is known beyond the code. */
  readonly said: string | null;
}

const kinds: Readonly<Record<string, AdviceKind>> = {
  body_too_large: 'photo',
  image_url_forbidden: 'photo',
  image_url_unreachable: 'photo',
  model_refused: 'refused',
  model_unavailable: 'provider',
  model_timeout: 'provider',
  model_quota_exhausted: 'provider',
  model_auth_failed: 'provider',
  model_request_rejected: 'provider',
  model_output_invalid: 'provider',
  spending_cap_reached: 'money',
  overloaded: 'busy',
  rate_limited: 'busy',
  service_unavailable: 'busy',
  storage_unavailable: 'busy',
  deadline_exceeded: 'late',
  invalid_request: 'question',
  request_timeout: 'connection',
  not_found: 'gone',
  canceled: 'canceled',
  unauthorized: 'key',
  forbidden: 'key',
  request_lost: 'lost',
  classification_gone: 'seenGone',
  ended_by_operator: 'stopped',
  internal_error: 'ours',
  worker_lost: 'ours',
  stage_timeout: 'ours',
  stage_contract_broken: 'ours',
  engine_out_of_memory: 'ours',
  engine_too_large: 'ours',
};

function adviceFor(code: string): AdviceKind {
  return kinds[code] ?? (code.startsWith('image_') ? 'photo' : 'unknown');
}

/** What is no trouble of a call is a mistake of this page, and ours all the same. */
export const pageError = 'page_error';

export function troubleOf(error: unknown): Trouble {
  if (error instanceof ProblemError) {
    const { code, requestId, message } = error;
    return { code, advice: adviceFor(code), reference: requestId, said: message };
  }
  if (error instanceof ConnectionError) {
    return { code: 'no_connection', advice: 'connection', reference: null, said: null };
  }
  return { code: pageError, advice: 'ours', reference: null, said: null };
}

/** Of a request that has ended without an answer. */
export function troubleOfFailure({ id, status, error }: Pick<Resource, 'id' | 'status' | 'error'>): Trouble {
  const code = error?.code ?? (status === 'canceled' ? 'canceled' : 'internal_error');
  return { code, advice: adviceFor(code), reference: id, said: error?.message ?? null };
}

/** Whether the photo itself is the trouble, so that the same one would meet it again. */
export function isOfPhoto({ advice }: Trouble): boolean {
  return advice === 'photo' || advice === 'refused';
}

/** What happened and what to do. What this page knows no words for is told in the server's. */
export function troubleText({ code, advice, said }: Trouble, words: Words): string {
  const general = words.advice[advice];
  if (advice === 'photo') return words.photoAdvice[code] ?? general;
  return advice === 'unknown' && said !== null ? `${general} ${said}` : general;
}
