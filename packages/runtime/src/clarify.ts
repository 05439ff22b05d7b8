import { isTerminal, looksOf, type Request, type StageName } from '@bunri/queue-contracts';
import { cacheKey, normaliseQuestion } from './cache.ts';
import type { RequestRecord } from './record.ts';
import type { Idempotency } from './record-acceptance.ts';
import { takeOver, whoLooked } from './replay.ts';

/** What the person says that the thing is: an item of the catalogue, or their own words for it. */
export type Said = { readonly itemId: string } | { readonly text: string };

/** `open`: it has not ended; `unanswered`: it failed or was canceled; `nothing_seen`: it has no classification to go on from. */
export type ClarificationRefusal = 'open' | 'unanswered' | 'nothing_seen';

export type ClarificationPlan =
  | { outcome: 'planned'; request: Request; outputs: Partial<Record<StageName, unknown>> }
  | { outcome: 'refused'; reason: ClarificationRefusal };

/**
 * The request that goes on from a completed one with what the person says of the thing. The photo and what was seen in it
 * are taken over, so that the rules are looked up anew and no vision model is asked. A finished record is never changed:
 * this is a request of its own. Pure. Times in epoch ms.
 */
export function planClarification(
  original: RequestRecord,
  said: Said,
  { id, now, deadlineMs }: { id: string; now: number; deadlineMs: number },
): ClarificationPlan {
  if (!isTerminal(original.status)) return { outcome: 'refused', reason: 'open' };
  if (original.status !== 'completed') return { outcome: 'refused', reason: 'unanswered' };
  const looks = looksOf(original.request.models);
  const outputs = takeOver(original, looks.at(-1) ?? 'vision');
  if (!looks.some((look) => look in outputs)) return { outcome: 'refused', reason: 'nothing_seen' };
  const { replay: _compared, models, ...asked } = original.request;
  const clarifies = { of: original.request.id, ...said };
  const request: Request = {
    ...asked,
    ...whoLooked(models, outputs),
    id,
    createdAt: now,
    deadlineAt: now + deadlineMs,
    clarifies,
  };
  return { outcome: 'planned', request, outputs };
}

/**
 * The key of an answer among its owner's, so that the same answer is one request however often it is sent, until that
 * request has come to nothing. No header has a line break, so that no client can have used this key.
 */
export function clarificationKey(of: string, said: Said): Idempotency {
  const meaning = 'itemId' in said ? ['item', said.itemId] : ['text', normaliseQuestion(said.text)];
  const fingerprint = cacheKey([of, ...meaning]);
  return { key: `clarify\n${of}\n${fingerprint}`, fingerprint };
}
