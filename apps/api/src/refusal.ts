import { capMessage, type Estimate, type Logger, type Metrics, type RecordStore, type Spent } from '@bunri/runtime';
import type { Forecast } from './forecast.ts';
import type { MemoryGuard } from './memory-guard.ts';
import { Problem } from './problem.ts';
import { idempotencyKeySchema, type Terms } from './submission.ts';

/** What is said to a client before its upload is taken. */
export interface Refusal {
  /** Whether anything of this owner can be taken now. @throws Problem `service_unavailable`, `spending_cap_reached` */
  ofOwner(owner: string, idempotencyKey: string | undefined): Promise<void>;
  /** Whether an answer can be expected in time. @throws Problem `overloaded` */
  ofTerms(owner: string, idempotencyKey: string | undefined, terms: Terms): Promise<void>;
}

const fullRetryAfterS = 60;
/** Nobody knows the load of later than this. */
const longestRetryAfterS = 300;

/**
 * Early answers to requests that would come to nothing. A request whose idempotency key is known already is never refused:
 * its answer exists, or is on its way. An estimate that fails refuses nobody.
 */
export function createRefusal(deps: {
  records: RecordStore;
  memory: MemoryGuard;
  forecast: Forecast;
  /** Where there is a cap: what is left of it. */
  spent?: ((owner: string) => Promise<Spent>) | undefined;
  metrics: Metrics;
  log: Logger;
  now: () => number;
}): Refusal {
  const { records, memory, forecast, spent, metrics, log, now } = deps;

  async function isKnown(owner: string, key: string | undefined): Promise<boolean> {
    if (!idempotencyKeySchema.safeParse(key).success) return false;
    return (await records.redis.exists(records.keys.idempotency(owner, key ?? ''))) === 1;
  }

  function refuse(reason: string, problem: Problem): never {
    metrics.requestsRefused.inc({ reason });
    throw problem;
  }

  /** The estimate that says that a request would be late; null where it would not, or nobody can tell. */
  async function findLate(owner: string, key: string | undefined, terms: Terms): Promise<Estimate | null> {
    try {
      // Mostly there is time enough for everything that waits, and its place need not be looked up.
      if (!isLate(await forecast.ofLast(terms), terms)) return null;
      const own = await forecast.ofNext(owner, terms.priority, terms);
      return isLate(own, terms) && !(await isKnown(owner, key)) ? own : null;
    } catch (error) {
      log.warn('the time of a request could not be estimated', { error });
      return null;
    }
  }

  return {
    async ofOwner(owner, key) {
      if (!(await memory.hasRoom()) && !(await isKnown(owner, key))) refuse('memory', memoryFull());
      const { exhausted = null, reopensAt = 0 } = (await spent?.(owner)) ?? {};
      if (exhausted && !(await isKnown(owner, key))) refuse('spending_cap', capReached(exhausted, reopensAt, now()));
    },
    async ofTerms(owner, key, terms) {
      const late = await findLate(owner, key, terms);
      if (late) refuse('overloaded', overloaded(late, terms));
    },
  };
}

/**
 * Late because of the line: without it there would be time, or it takes more than half of the time. What an idle system
 * could not do in time either is for the client to find out.
 */
function isLate({ completion }: Estimate, { deadlineMs }: Terms): boolean {
  if (completion === null || completion.p95Ms <= deadlineMs || completion.waitMs < 1) return false;
  return completion.p95Ms - completion.waitMs <= deadlineMs || completion.waitMs > deadlineMs / 2;
}

function overloaded({ completion }: Estimate, { priority, deadlineMs, from }: Terms): Problem {
  const { p95Ms = 0, waitMs = 0 } = completion ?? {};
  // The line gets shorter by a second a second, as long as nobody joins it.
  const excessS = Math.ceil(Math.min(p95Ms - deadlineMs, waitMs) / 1000);
  const retryAfterS = Math.min(longestRetryAfterS, Math.max(1, excessS));
  const otherwise =
    from !== undefined
      ? 'What was seen in the photo is kept until then.'
      : priority === 'interactive'
        ? 'If the answer may come later, give a later deadline or priority=batch, as query parameters or in front of the photo.'
        : 'If the answer may come later, give a later deadline, as a query parameter or in front of the photo.';
  const detail = `So much is to be done that the answer is expected in ${Math.ceil(p95Ms / 1000)} seconds, and the deadline is in ${deadlineMs / 1000}. Send the request again in ${retryAfterS} seconds. ${otherwise}`;
  return new Problem('overloaded', detail, { retryAfterS });
}

function memoryFull(): Problem {
  const detail = `The queue is full and takes no new requests until older ones have been cleaned up. Send the request again in ${fullRetryAfterS} seconds.`;
  return new Problem('service_unavailable', detail, { retryAfterS: fullRetryAfterS });
}

function capReached(cap: 'owner' | 'day', reopensAt: number, at: number): Problem {
  const retryAfterS = Math.max(1, Math.ceil((reopensAt - at) / 1000));
  return new Problem('spending_cap_reached', capMessage(cap, at), { retryAfterS });
}
