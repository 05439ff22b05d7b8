import { Router } from 'express';
import { batchPath, toBatch, toDeletion, type BatchState } from '@bunri/batches';
import { batchIdSchema } from '@bunri/queue-contracts';
import { TransientError, type Audit } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { batchPageSchema, listBatches } from '../batch-listing.ts';
import { batchQuerySchema, resumeBodySchema, resumeQuerySchema } from '../batch-terms.ts';
import { createBatch, type CreateBatchDeps } from '../create-batch.ts';
import { readJson } from '../json-body.ts';
import { parseInput, Problem, serviceUnavailable } from '../problem.ts';
import type { Refusal } from '../refusal.ts';
import { signalGone } from '../submitted-answer.ts';
import { createTurnstile } from '../turnstile.ts';
import { lingerThenClose } from '../upload.ts';
import { sendResults } from './batches-results.ts';

export interface BatchDeps extends Omit<CreateBatchDeps, 'validating'> {
  readonly admit: Admit;
  readonly audit: Audit;
  readonly refusal: Refusal;
}

/** Each holds a photo and a chunk of rows, and keeps a core busy. */
const validationsAtOnce = 2;
const validationPatienceMs = 60_000;

export function batchRoutes(deps: BatchDeps): Router {
  const { admit, audit, batches, refusal, log } = deps;
  const tooLong = () =>
    new TransientError('storage_unavailable', 'too many batches are being validated; try again later');
  const validating = createTurnstile({ limit: validationsAtOnce, patienceMs: validationPatienceMs, tooLong });
  const router = Router();

  router.post(batchPath, async (request, response) => {
    // Registered first, since a refusal of any kind may come before the body was read.
    lingerThenClose(request, response);
    const { owner } = await admit(request, response, 'submit');
    if (batches.redis.status !== 'ready') throw serviceUnavailable();
    await refusal.ofOwner(owner, undefined);
    const query = parseInput(batchQuerySchema, request.query);
    const created = await createBatch({ ...deps, validating }, { request, owner, query }, signalGone(response));
    if (created.kind === 'check') {
      response.json(created.check);
      return;
    }
    if (created.replayed) response.set('Idempotent-Replayed', 'true');
    response.status(202).location(created.batch.links.self).json(created.batch);
  });

  router.get(batchPath, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    response.json(await listBatches(batches, owner, parseInput(batchPageSchema, request.query)));
  });

  router.delete(`${batchPath}/:id`, async (request, response) => {
    const { owner, keyId, scopes } = await admit(request, response, 'submit');
    const { id } = request.params;
    const receipt = batchIdSchema.safeParse(id).success ? await batches.receipt(id, owner) : null;
    if (receipt) {
      response.json(receipt);
      return;
    }
    const { deletion } = await readKnown(id, owner);
    if (!deletion) {
      log.info('a batch is to be deleted', { key_id: keyId, owner, batch_id: id });
      const line = { actor: keyId, action: 'batches.delete', target: id };
      if (scopes.includes('admin')) await audit.record({ ...line, outcome: 'begun' });
      await batches.condemn(id);
      if (scopes.includes('admin')) await audit.record({ ...line, outcome: 'done' });
    }
    await deps.wakeBatch(id);
    const state = await batches.get(id);
    const answer = state?.deletion ? toDeletion(state, state.deletion) : await batches.receipt(id, owner);
    if (!answer) throw noBatch();
    if (answer.status === 'deleting') response.status(202).set('Retry-After', '1');
    response.json(answer);
  });

  router.get(`${batchPath}/:id`, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    response.json(toBatch(await readOwned(request.params.id, owner)));
  });

  for (const how of ['cancel', 'pause'] as const) {
    router.post(`${batchPath}/:id/${how}`, async (request, response) => {
      const { owner } = await admit(request, response, 'submit');
      const { spec } = await readOwned(request.params.id, owner);
      const stopped = await batches.stop(spec.id, how === 'cancel' ? 'canceled' : 'paused');
      const state = await readOwned(spec.id, owner);
      if (!stopped) throw wrongState(state, how);
      await deps.wakeBatch(spec.id);
      response.json(toBatch(state));
    });
  }

  router.post(`${batchPath}/:id/resume`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const { retry_failed: retry } = parseInput(resumeQuerySchema, request.query);
    const { max_cost_usd: maxUsd } = await readJson(resumeBodySchema, request, response);
    const state = await readOwned(request.params.id, owner);
    if (!(await batches.resume(state, { retryFailed: retry === 'true', maxUsd }))) throw wrongState(state, 'resume');
    await deps.wakeBatch(state.spec.id);
    response.json(toBatch(await readOwned(state.spec.id, owner)));
  });

  for (const file of ['results', 'errors'] as const) {
    router.get(`${batchPath}/:id/${file}`, async (request, response) => {
      const { owner } = await admit(request, response, 'read');
      await sendResults(deps, { request, response }, { state: await readOwned(request.params.id, owner), file });
    });
  }

  /** @throws Problem `not_found`, for another owner's batch too: its existence is not told. */
  async function readKnown(id: string, owner: string): Promise<BatchState> {
    const state = batchIdSchema.safeParse(id).success ? await batches.get(id) : null;
    if (state?.spec.owner === owner) return state;
    throw noBatch();
  }

  /** The same, and for one that is being deleted. */
  async function readOwned(id: string, owner: string): Promise<BatchState> {
    const state = await readKnown(id, owner);
    if (state.deletion) throw noBatch();
    return state;
  }

  return router;
}

function noBatch(): Problem {
  return new Problem('not_found', 'There is no such batch, or it was deleted or is past its retention. Check the id.');
}

const possible = {
  cancel: 'validating, queued, running or paused',
  pause: 'queued or running',
  resume:
    'paused, canceled with nothing in flight, or past its deadline, or completed with failed rows and retry_failed=true',
};

function wrongState({ status }: BatchState, wanted: keyof typeof possible): Problem {
  return new Problem(
    'batch_state_conflict',
    `The batch is ${status}. To ${wanted} it, it must be ${possible[wanted]}.`,
  );
}
