import { Router, type Response } from 'express';
import * as z from 'zod';
import { requestIdSchema } from '@bunri/queue-contracts';
import {
  compareReplay,
  ReplayKeyConflict,
  startReplay,
  type Audit,
  type FlowQueue,
  type Inspector,
  type RecordStore,
  type ReplayComparison,
  type ReplayDiff,
  type ReplayRefusal,
  type ReplayStart,
} from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { readJson } from '../json-body.ts';
import { parseInput, Problem } from '../problem.ts';
import { idempotencyOf } from '../submission.ts';
import { deadlineField, inspectionQuerySchema } from './dead-letters.ts';

export interface ReplayDeps {
  readonly admit: Admit;
  readonly records: RecordStore;
  readonly flows: FlowQueue;
  readonly inspector: Inspector;
  readonly audit: Audit;
  readonly now: () => number;
}

export const adminPath = '/v1/admin/classifications';

const model = z.string().trim().min(1).max(200).optional();
export const replayBodySchema = z.strictObject({
  vision_model: model.meta({ description: 'Looks at the photo instead of the configured model.' }),
  llm_model: model.meta({
    description: 'Writes the guidance instead of the configured model. Alone, what was seen is taken over.',
  }),
  deadline: deadlineField,
});

export const replayAcceptedSchema = z
  .object({
    id: requestIdSchema,
    replay_of: requestIdSchema,
    queued: z.boolean().meta({ description: 'False where the scheduler will queue it, within two minutes.' }),
    links: z.object({ self: z.string(), diff: z.string() }),
  })
  .meta({ id: 'AcceptedReplay' });

const openRetryAfterS = 2;

/** Requests of every owner, as an operator looks at them, repeats them, and compares. */
export function replayRoutes(deps: ReplayDeps): Router {
  const { admit, records, inspector, audit } = deps;
  const router = Router();

  router.get(`${adminPath}/:id`, async (request, response) => {
    await admit(request, response, 'admin');
    const id = knownId(request.params.id, response);
    const { show_question: show } = parseInput(inspectionQuerySchema, request.query);
    const found = await inspector.inspect(id, { question: show === 'true' });
    if (!found) throw noRequest();
    response.json(found);
  });

  router.post(`${adminPath}/:id/replay`, async (request, response) => {
    const { keyId, owner } = await admit(request, response, 'admin');
    const original = knownId(request.params.id, response);
    const body = await readJson(replayBodySchema, request, response);
    const started = await start(deps, original, body, { operator: owner, key: request.get('idempotency-key') });
    if (started.outcome === 'gone') throw noRequest();
    if (started.outcome === 'refused') throw refused(started.reason);
    const { id } = started.record.request;
    if (started.repeated) response.set('Idempotent-Replayed', 'true');
    else
      await audit.record({
        actor: keyId,
        action: 'requests.replay',
        target: original,
        outcome: 'done',
        facts: { replay_id: id },
      });
    const self = `${adminPath}/${id}`;
    response.status(202).location(self);
    response.json({ id, replay_of: original, queued: started.queued, links: { self, diff: `${self}/diff` } });
  });

  router.get(`${adminPath}/:id/diff`, async (request, response) => {
    await admit(request, response, 'admin');
    response.json(diffOr(await compareReplay(records, knownId(request.params.id, response))));
  });

  return router;
}

/** @throws Problem `invalid_request`, `idempotency_conflict` */
async function start(
  deps: ReplayDeps,
  original: string,
  { vision_model: visionModel, llm_model: llmModel, deadline }: z.infer<typeof replayBodySchema>,
  { operator, key }: { operator: string; key: string | undefined },
): Promise<ReplayStart> {
  const meaning = ['replay', original, visionModel ?? null, llmModel ?? null, deadline];
  const given = idempotencyOf(key, meaning);
  // No header has a line break, so that no client can have used this key.
  const idempotency = given && { ...given, key: `replay\n${operator}\n${given.key}` };
  try {
    return await startReplay(deps, original, { visionModel, llmModel, deadlineMs: deadline * 1000, idempotency });
  } catch (error) {
    if (!(error instanceof ReplayKeyConflict)) throw error;
    const detail =
      'This Idempotency-Key was used to replay another request, or with another model or deadline. Send a new key for a new replay.';
    throw new Problem('idempotency_conflict', detail, { cause: error });
  }
}

function knownId(text: string, response: Response): string {
  if (!requestIdSchema.safeParse(text).success) throw noRequest();
  response.locals['classificationId'] = text;
  return text;
}

function noRequest(): Problem {
  return new Problem('not_found', 'There is no such request, or it is past its retention. Check the id.');
}

function refused(reason: ReplayRefusal): Problem {
  switch (reason) {
    case 'open':
      return new Problem('not_ended', 'The request has not ended. Wait for its end, or cancel it.');
    case 'no_image':
      return new Problem(
        'not_replayable',
        'The request failed before its photo was prepared: nothing can be repeated.',
      );
  }
}

/** @throws Problem `not_found`, `not_ended` */
function diffOr(comparison: ReplayComparison): ReplayDiff {
  switch (comparison.outcome) {
    case 'compared':
      return comparison.diff;
    case 'open': {
      const detail = `The replay is ${comparison.status} still. Ask again in ${openRetryAfterS} seconds.`;
      throw new Problem('not_ended', detail, { retryAfterS: openRetryAfterS });
    }
    case 'no_replay':
      throw new Problem('not_found', 'This request is no replay of another; there is nothing to compare it with.');
    case 'original_gone':
      throw new Problem('not_found', `The request ${comparison.original}, which it repeats, is past its retention.`);
    case 'gone':
      throw noRequest();
  }
}
