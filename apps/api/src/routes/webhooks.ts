import { Router, type Request, type Response } from 'express';
import * as z from 'zod';
import type { Logger } from '@bunri/runtime';
import type { OutboundPolicy } from '@bunri/runtime/public-fetch';
import {
  deliveryErrors,
  deliveryStatuses,
  eventIdSchema,
  SecretUnreadableError,
  type Delivery,
  type Webhooks,
  type WebhookSecret,
} from '@bunri/webhooks';
import type { Admit } from '../admission.ts';
import { checkWebhookUrl } from '../image-url.ts';
import { readJson } from '../json-body.ts';
import { pageLimit } from '../page-limit.ts';
import { invalidField, parseInput, Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';

export interface WebhookDeps {
  readonly admit: Admit;
  /** Null where no webhooks are taken. */
  readonly webhooks: Webhooks | null;
  readonly webhookUrls: OutboundPolicy | null;
  /** Messages that an owner may ask for by hand. */
  readonly webhookLimit: RateLimit;
  readonly log: Logger;
}

export const webhookPath = '/v1/webhooks';

const exampleId = 'evt_019a7c3e5d2f7b1c8e4a6f0d3b5c7e91_14';
const exampleSecret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

export const webhookSecretSchema = z
  .object({
    secret: z.string().meta({ description: 'Verifies every message; keep it to yourself.' }),
    created_at: z.iso.datetime(),
    previous: z
      .array(z.object({ secret: z.string(), expires_at: z.iso.datetime() }))
      .meta({ description: 'Secrets that were replaced and still sign along.' }),
  })
  .meta({
    id: 'WebhookSecret',
    examples: [{ secret: exampleSecret, created_at: '2026-11-22T09:00:00.000Z', previous: [] }],
  });

const exampleDelivery = {
  id: exampleId,
  type: 'classification.completed',
  subject: 'req_019a7c3e5d2f7b1c8e4a6f0d3b5c7e91',
  url: 'https://example.com/hooks/bunri',
  status: 'pending',
  created_at: '2026-11-22T09:00:00.000Z',
  next_attempt_at: '2026-11-22T09:00:05.300Z',
  error: 'status',
  attempt_count: 1,
  attempts: [
    {
      at: '2026-11-22T09:00:00.200Z',
      status_code: 503,
      duration_ms: 87,
      error: 'status',
      response: 'down for maintenance',
    },
  ],
};

const attemptSchema = z.object({
  at: z.iso.datetime(),
  status_code: z.int().nullable().meta({ description: 'What your endpoint answered; null where it did not.' }),
  duration_ms: z.int(),
  error: z.enum(deliveryErrors).nullable(),
  response: z
    .string()
    .meta({ description: 'The beginning of your endpoint’s answer, at most 256 bytes of plain text.' }),
});

export const deliverySchema = z
  .object({
    id: eventIdSchema,
    type: z.string().meta({ description: 'What happened, such as `classification.completed`.' }),
    subject: z.string().meta({ description: 'The id of what it happened to.' }),
    url: z.string(),
    status: z.enum(deliveryStatuses),
    created_at: z.iso.datetime(),
    next_attempt_at: z.iso.datetime().nullable(),
    error: z.enum(deliveryErrors).nullable().meta({ description: 'Why it has not been delivered.' }),
    attempt_count: z.int(),
    attempts: z.array(attemptSchema).meta({ description: 'The latest 20, oldest first.' }),
  })
  .meta({
    id: 'WebhookDelivery',
    examples: [exampleDelivery],
  });

export const deliveryListSchema = z
  .object({
    data: z.array(deliverySchema),
    next_cursor: z.string().nullable().meta({ description: 'Null on the last page.' }),
  })
  .meta({ id: 'WebhookDeliveryList', examples: [{ data: [exampleDelivery], next_cursor: null }] });

export const deliveryQuerySchema = z.strictObject({
  status: z.enum(deliveryStatuses).optional().meta({ description: 'Only deliveries that stand so.' }),
  limit: pageLimit('Deliveries a page.'),
  cursor: z.string().max(200).optional().meta({ description: 'The `next_cursor` of the page before.' }),
});

export const webhookTestSchema = z
  .strictObject({ url: z.string().min(1).max(2048).meta({ description: 'https URL of a public host.' }) })
  .meta({ examples: [{ url: 'https://example.com/hooks/bunri' }] });

/** Secrets, the log of deliveries, and messages on demand; each owner has its own, and sees no other's. */
export function webhookRoutes(deps: WebhookDeps): Router {
  const { admit, webhookLimit, log } = deps;
  const router = Router();

  router.get(`${webhookPath}/secret`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const [present, ...previous] = await opened(deps, owner, async ({ secrets }) => await secrets.read(owner));
    if (!present) throw new Problem('not_found', `There is no secret yet. POST ${webhookPath}/secret makes one.`);
    response.json(toSecret(present, previous));
  });

  router.post(`${webhookPath}/secret`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const [present, ...previous] = await opened(deps, owner, async ({ secrets }) => await secrets.ensure(owner));
    response.json(toSecret(present, previous));
  });

  router.post(`${webhookPath}/secret/rotate`, async (request, response) => {
    const { owner, keyId } = await admit(request, response, 'submit');
    const [present, ...previous] = await taken(deps).secrets.rotate(owner);
    log.info('webhook secret was rotated by a client', { owner, key_id: keyId });
    response.json(toSecret(present, previous));
  });

  router.get(`${webhookPath}/deliveries`, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    const { status, limit, cursor } = parseInput(deliveryQuerySchema, request.query);
    const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString('latin1');
    const page = await taken(deps).deliveries.list(owner, { status, after, limit });
    if (!page) throw invalidField('cursor', 'is not the next_cursor of a page');
    const next = page.next === null ? null : Buffer.from(page.next, 'latin1').toString('base64url');
    response.json({ data: page.data.map(toDelivery), next_cursor: next });
  });

  router.get(`${webhookPath}/deliveries/:id`, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    response.json(toDelivery(await readDelivery(taken(deps), request.params.id, owner)));
  });

  router.post(`${webhookPath}/deliveries/:id/resend`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const webhooks = taken(deps);
    const delivery = await readDelivery(webhooks, request.params.id, owner);
    await limitByHand(webhookLimit, owner);
    await webhooks.resend(delivery);
    accepted(response, delivery);
  });

  router.post(`${webhookPath}/test`, async (request: Request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const { url } = await readJson(webhookTestSchema, request, response);
    const webhooks = taken(deps);
    const checked = checkWebhookUrl(url, deps.webhookUrls);
    await limitByHand(webhookLimit, owner);
    accepted(response, await webhooks.test(owner, checked));
  });

  return router;
}

function accepted(response: Response, delivery: Delivery): void {
  response.status(202).location(`${webhookPath}/deliveries/${delivery.id}`).json(toDelivery(delivery));
}

/** @throws Problem `webhooks_disabled` */
function taken({ webhooks }: WebhookDeps): Webhooks {
  if (webhooks) return webhooks;
  const detail = 'This installation sends no webhooks. Follow requests by their events, or ask for them.';
  throw new Problem('webhooks_disabled', detail);
}

/**
 * Secrets that were stored under another key than this process has: the operator hears of it in the log, the owner what it
 * may do itself. @throws Problem `webhook_secret_unreadable`, `webhooks_disabled`
 */
async function opened(
  deps: WebhookDeps,
  owner: string,
  read: (webhooks: Webhooks) => Promise<WebhookSecret[]>,
): Promise<WebhookSecret[]> {
  const webhooks = taken(deps);
  try {
    return await read(webhooks);
  } catch (error) {
    if (!(error instanceof SecretUnreadableError)) throw error;
    deps.log.error('webhook secrets cannot be read', { owner, error });
    const detail = `The secret was stored under a key that the service does not have any more, and nothing is sent to you meanwhile. If this lasts, make a new one: POST ${webhookPath}/secret/rotate.`;
    throw new Problem('webhook_secret_unreadable', detail, { cause: error });
  }
}

/** @throws Problem `not_found`, for another owner's delivery too: its existence is not told */
async function readDelivery({ deliveries }: Webhooks, id: string, owner: string): Promise<Delivery> {
  const delivery = eventIdSchema.safeParse(id).success ? await deliveries.get(id) : null;
  if (delivery?.owner === owner) return delivery;
  throw new Problem('not_found', 'There is no such delivery, or it was forgotten. Check the id.');
}

/** @throws Problem `rate_limited`: an endpoint that is asked by hand belongs to anybody. */
async function limitByHand(limit: RateLimit, owner: string): Promise<void> {
  const { allowed, resetS, limit: most } = await limit.take(owner);
  if (allowed) return;
  const detail = `At most ${most} messages a minute can be asked for by hand. Wait ${resetS} seconds.`;
  throw new Problem('rate_limited', detail, { retryAfterS: resetS });
}

function toSecret(
  present: WebhookSecret | undefined,
  previous: readonly WebhookSecret[],
): z.infer<typeof webhookSecretSchema> {
  if (!present) throw new Error('there is no secret after it was made');
  return {
    secret: present.secret,
    created_at: isoTime(present.createdAt),
    previous: previous.map(({ secret, expiresAt }) => ({ secret, expires_at: isoTime(expiresAt ?? 0) })),
  };
}

function toDelivery(delivery: Delivery): z.infer<typeof deliverySchema> {
  const { id, type, subject, url, status, at, nextAttemptAt, reason, attemptCount, attempts } = delivery;
  return {
    id,
    type,
    subject,
    url,
    status,
    created_at: isoTime(at),
    next_attempt_at: nextAttemptAt === null ? null : isoTime(nextAttemptAt),
    error: reason,
    attempt_count: attemptCount,
    attempts: attempts.map((attempt) => ({
      at: isoTime(attempt.at),
      status_code: attempt.status,
      duration_ms: attempt.durationMs,
      error: attempt.error,
      response: attempt.excerpt,
    })),
  };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
