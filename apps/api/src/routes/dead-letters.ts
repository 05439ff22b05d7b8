import { Router, type Response } from 'express';
import * as z from 'zod';
import { requestIdSchema, requestSchema } from '@bunri/queue-contracts';
import {
  deadLetterCursorSchema,
  deadLetterFilterFields,
  matchesAll,
  toDeadLetterFilter,
  type Audit,
  type DeadLetters,
  type Handled,
  type Inspector,
} from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import type { Client } from '../auth.ts';
import { readJson } from '../json-body.ts';
import { pageLimit } from '../page-limit.ts';
import { parseInput, Problem } from '../problem.ts';

export interface DeadLetterDeps {
  readonly admit: Admit;
  readonly deadLetters: DeadLetters;
  readonly inspector: Inspector;
  readonly audit: Audit;
}

export const deadLetterPath = '/v1/admin/dead-letters';

const longestDeadlineS = 86_400;
export const deadlineField = z.int().min(5).max(longestDeadlineS).default(3600).meta({
  description: 'Seconds until the new deadline.',
});

export const deadLetterPageQuerySchema = z.strictObject({
  ...deadLetterFilterFields,
  limit: pageLimit('Dead letters a page.', { most: 500, usual: 50 }),
  cursor: deadLetterCursorSchema.optional().meta({ description: 'The `next_cursor` of the page before.' }),
});

export const inspectionQuerySchema = z.strictObject({
  show_question: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether to tell what the client asked.' }),
});

const retryFields = { deadline: deadlineField, priority: requestSchema.shape.priority.default('batch') };
export const retryBodySchema = z.strictObject(retryFields);

/** All is never meant by leaving out the filter: it has to be said, and then nothing else. */
function saysWhich({
  all,
  ...given
}: z.infer<z.ZodObject<typeof deadLetterFilterFields>> & { all?: unknown }): boolean {
  const filtered = !matchesAll(toDeadLetterFilter(given));
  return filtered !== (all === true || all === 'true');
}
const whichRule = { path: ['all'], error: 'must be true without a filter, and left out with one' };

export const retryManyBodySchema = z
  .strictObject({ ...deadLetterFilterFields, all: z.literal(true).optional(), ...retryFields })
  .refine(saysWhich, whichRule);
export const purgeQuerySchema = z
  .strictObject({
    ...deadLetterFilterFields,
    all: z.literal('true').optional().meta({ description: 'Without a filter: that all are meant.' }),
  })
  .refine(saysWhich, whichRule);

/** What an operator does about failed requests of every owner. Each change is kept in the audit. */
export function deadLetterRoutes({ admit, deadLetters, inspector, audit }: DeadLetterDeps): Router {
  const router = Router();
  const note = async (action: string, { keyId }: Client, target: string, facts: Record<string, unknown> = {}) =>
    await audit.record({ actor: keyId, action, target, outcome: 'done', facts });

  /** The audit has a purge before it begins, so that it is known even where this process dies in it. */
  async function purge<Done>(
    { keyId }: Client,
    target: string,
    act: () => Promise<{ done: Done; facts?: Record<string, unknown> }>,
  ): Promise<Done> {
    const line = { actor: keyId, action: 'dead_letters.purge', target };
    await audit.record({ ...line, outcome: 'begun' });
    try {
      const { done, facts = {} } = await act();
      await audit.record({ ...line, outcome: 'done', facts });
      return done;
    } catch (error) {
      const isRefusal = error instanceof Problem;
      const facts = { error: isRefusal ? error.code : error instanceof Error ? error.message : String(error) };
      await audit.record({ ...line, outcome: isRefusal ? 'refused' : 'failed', facts });
      throw error;
    }
  }

  router.get(deadLetterPath, async (request, response) => {
    await admit(request, response, 'admin');
    const { limit, cursor, ...filter } = parseInput(deadLetterPageQuerySchema, request.query);
    response.json(await deadLetters.list(toDeadLetterFilter(filter), { limit, cursor }));
  });

  router.get(`${deadLetterPath}/:id`, async (request, response) => {
    await admit(request, response, 'admin');
    const id = parseId(request.params.id, response);
    const { show_question: show } = parseInput(inspectionQuerySchema, request.query);
    const found = await inspector.inspect(id, { question: show === 'true' });
    if (!found?.dead_letter) throw noDeadLetter();
    response.json(found);
  });

  router.post(`${deadLetterPath}/retry`, async (request, response) => {
    const client = await admit(request, response, 'admin');
    const { deadline, priority, all: _all, ...given } = await readJson(retryManyBodySchema, request, response);
    const done = await deadLetters.retryMatching(toDeadLetterFilter(given), { deadlineMs: deadline * 1000, priority });
    await note('dead_letters.retry', client, JSON.stringify(given), { counts: done.counts });
    response.json(done);
  });

  router.post(`${deadLetterPath}/:id/retry`, async (request, response) => {
    const client = await admit(request, response, 'admin');
    const id = parseId(request.params.id, response);
    const { deadline, priority } = await readJson(retryBodySchema, request, response);
    const [done] = await deadLetters.retry([id], { deadlineMs: deadline * 1000, priority });
    const handled = handledOr(done);
    await note('dead_letters.retry', client, id);
    response.status(202).json(handled);
  });

  router.delete(deadLetterPath, async (request, response) => {
    const client = await admit(request, response, 'admin');
    const { all: _all, ...given } = parseInput(purgeQuerySchema, request.query);
    const done = await purge(client, JSON.stringify(given), async () => {
      const handled = await deadLetters.purgeMatching(toDeadLetterFilter(given));
      return { done: handled, facts: { counts: handled.counts } };
    });
    response.json(done);
  });

  router.delete(`${deadLetterPath}/:id`, async (request, response) => {
    const client = await admit(request, response, 'admin');
    const id = parseId(request.params.id, response);
    const handled = await purge(client, id, async () => {
      const [done] = await deadLetters.purge([id]);
      return { done: handledOr(done) };
    });
    response.json(handled);
  });

  return router;
}

/** @throws Problem `not_found` for what is no id of ours. */
function parseId(text: string, response: Response): string {
  if (!requestIdSchema.safeParse(text).success) throw noDeadLetter();
  response.locals['classificationId'] = text;
  return text;
}

function noDeadLetter(): Problem {
  const detail = 'There is no such dead letter: it was retried, purged, or is past its retention. Check the id.';
  return new Problem('not_found', detail);
}

/** @throws Problem `not_found`, `not_dead_letter` */
function handledOr(done: Handled | undefined): Handled {
  if (!done || done.outcome === 'gone') throw noDeadLetter();
  if (done.outcome !== 'closed') return done;
  throw new Problem('not_dead_letter', done.detail ?? 'The request is no dead letter.');
}
