import type { Request, StageName, UsualStage } from '@bunri/queue-contracts';
import { dayInSeoul, type Keys } from './keys.ts';
import { oneOf, type Acceptance } from './record-outcomes.ts';
import type { ScriptRunner } from './record-scripts.ts';
import { cachedFields, looksField } from './record.ts';

export interface CachedAnswer {
  readonly outputs: Record<UsualStage, unknown>;
}

export interface Idempotency {
  readonly key: string;
  readonly fingerprint: string;
}

/** Sends the script that accepts a request, and what adds its flow with it; null where the flow has to go by itself. */
export type AcceptCarry = (
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<{ readonly record: string[]; readonly queued: boolean } | null>;

/** Stripe and others keep idempotency keys for a day; a client that retries later meant a new request. */
const longestIdempotencyMs = 24 * 3600 * 1000;

/** How requests come into the store. */
export function recordAcceptance(deps: {
  readonly keys: Pick<Keys, 'record' | 'idempotency'>;
  readonly script: ScriptRunner;
  readonly retentionMs: number;
  readonly now: () => number;
  /** '' for Redis's own clock. */
  readonly scriptNow: () => number | '';
}) {
  const { keys, script, retentionMs, now, scriptNow } = deps;
  // A key never outlives the record that it names.
  const idempotencyTtlMs = Math.min(longestIdempotencyMs, retentionMs);

  return {
    /**
     * Writes a new request, and claims its idempotency key in the same step. `existing` and `conflict` name the earlier
     * request. With an `answer` the request is completed at once; with `outputs` those stages are taken for done. The record of
     * a request that this one goes on from names it from then on, and so it does where it is `existing`; an earlier one that
     * failed or was canceled gives up the key to it. `unstored`: the picture of the `answer`, or the request that it
     * goes on from, is being removed; `known`: there is an entry in the cache by the name of `unlessKnown`, `<cache>:<key>`. In both
     * cases nothing was written. `before`, of a request that is queued: how many jobs it stands behind in the queue of each stage.
     * `flow` takes its flow along, `queued` says whether it was added.
     */
    async accept(
      request: Request,
      extra: {
        idempotency?: Idempotency;
        answer?: CachedAnswer;
        outputs?: Partial<Record<StageName, unknown>>;
        unlessKnown?: string;
        flow?: AcceptCarry;
      } = {},
    ): Promise<Acceptance> {
      const { idempotency, answer, outputs = answer?.outputs ?? {}, unlessKnown, flow } = extra;
      const named = [keys.record(request.id)];
      if (idempotency) named.push(keys.idempotency(request.owner, idempotency.key));
      const args = [
        scriptNow(),
        retentionMs,
        JSON.stringify(request),
        request.owner,
        request.deadlineAt,
        request.createdAt,
        request.priority,
        answer ? 'completed' : request.replay ? 'replay' : '',
        idempotency?.fingerprint ?? '',
        idempotencyTtlMs,
        // A replay of an answer is an operator's, and no answer.
        request.replay?.of ?? request.clarifies?.of ?? '',
        dayInSeoul(now()),
        unlessKnown === undefined ? '' : `cache:${unlessKnown}`,
        // A replay is an operator's, and nobody's to be told of.
        ...(request.webhookUrl !== undefined && !request.replay ? ['webhook', 1] : []),
        ...looksField(request),
        ...cachedFields(outputs, now()),
      ];
      // Without a flow it is sent in this very turn: who reads the record on the same connection next, finds it.
      const carried = flow ? await flow(named, args) : null;
      const [word, id = request.id, turn = 0, ...before] = carried?.record ?? (await script('accept', named, args));
      return {
        outcome: oneOf(word, ['accepted', 'existing', 'conflict', 'unstored', 'known']),
        id,
        turn: Number(turn),
        before: before.length > 0 ? before.map(Number) : null,
        queued: carried?.queued ?? false,
      };
    },
  };
}
