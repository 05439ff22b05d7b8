import * as z from 'zod';
import { locales, metadataSchema, modelsSchema, requestSchema } from '@bunri/queue-contracts';
import { maxDeadlineS, type BatchSpec } from '@bunri/batches';
import { checkWebhookUrl } from './image-url.ts';
import type { IntakeDeps } from './intake.ts';

const metadataText = z
  .string()
  .max(16_384)
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'is not JSON' });
      return z.NEVER;
    }
  })
  .pipe(metadataSchema);

const flag = z.enum(['true', 'false']).default('false');
const maxUsd = z.coerce.number().positive().max(1_000_000);

/** The options of a batch; they stand in the query, since the body is the input. */
export const batchQuerySchema = z.strictObject({
  on_error: z.enum(['refuse', 'skip']).default('refuse').meta({
    description:
      '`skip`: start the good rows, and list the others in the error file. Without it one bad row refuses all.',
  }),
  validate_only: flag.meta({ description: '`true`: look at every row and estimate the cost, and start nothing.' }),
  max_cost_usd: maxUsd.optional().meta({
    description: 'No row starts any more once the rows in flight might pass it; the batch pauses then.',
    override: { type: 'number' },
  }),
  deadline: z.coerce
    .number()
    .int()
    .min(60)
    .max(maxDeadlineS)
    .default(maxDeadlineS)
    .meta({
      description: 'Seconds until the whole batch is of no use any more.',
      override: { type: 'integer' },
    }),
  question: z.string().trim().max(1000).optional().meta({ description: 'For rows without one of their own.' }),
  locale: z.enum(locales).default('ko').meta({ description: 'For rows without one of their own.' }),
  region: requestSchema.shape.region,
  models: z
    .string()
    .max(200)
    .transform((text) => text.split(',').map((model) => model.trim()))
    .pipe(modelsSchema)
    .optional()
    .meta({
      description: 'Names with a comma between them, for rows without models of their own.',
      override: { type: 'string' },
    }),
  metadata: metadataText.optional().meta({
    description: 'A JSON object of texts, given back with the batch and with every row.',
    override: { type: 'string' },
  }),
  webhook_url: z.string().max(2048).optional().meta({ description: 'Who is told that the batch has come to rest.' }),
});
export type BatchQuery = z.infer<typeof batchQuerySchema>;

export const resumeQuerySchema = z.strictObject({
  retry_failed: flag.meta({ description: '`true`: rows that failed run again, too.' }),
});
export const resumeBodySchema = z.strictObject({
  max_cost_usd: maxUsd
    .optional()
    .meta({ description: 'In the place of the earlier cap.', override: { type: 'number' } }),
});

/** @throws Problem `model_unknown`, and for a webhook_url that nobody may be told at `webhook_url_forbidden` */
export function toSpec(
  query: BatchQuery,
  { id, owner }: Pick<BatchSpec, 'id' | 'owner'>,
  { admitModels, webhookUrls }: Pick<IntakeDeps, 'admitModels' | 'webhookUrls'>,
): BatchSpec {
  const { question, locale, region, models, metadata, deadline } = query;
  const webhookUrl = query.webhook_url === undefined ? undefined : checkWebhookUrl(query.webhook_url, webhookUrls);
  if (models) admitModels(models);
  return {
    id,
    owner,
    locale,
    deadlineMs: deadline * 1000,
    ...(question ? { question } : {}),
    ...(region === undefined ? {} : { region }),
    ...(models ? { models } : {}),
    ...(metadata ? { metadata } : {}),
    ...(webhookUrl === undefined ? {} : { webhookUrl }),
  };
}
