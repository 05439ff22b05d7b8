import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import * as z from 'zod';
import { modelSettings, processSettings, spendingSettings, storageSettings, visionModelsSetting } from '@bunri/runtime';
import { webhookSettings } from '@bunri/webhooks';
import { apiKeysSchema } from './auth.ts';
import { boardModes } from './board-mode.ts';

export const configSchema = z
  .object({
    ...processSettings,
    ...storageSettings,
    HOST: z.string().min(1).default('0.0.0.0').meta({ description: 'address that the HTTP server listens on' }),
    API_KEYS: apiKeysSchema.optional().meta({
      description: 'JSON array of { id, sha256, owner, scopes }; without keys only a demo on loopback starts',
    }),
    API_KEYS_FILE: z.string().optional().meta({ description: 'path of a file that holds what API_KEYS would' }),
    API_KEYS_IN_REDIS: z
      .stringbool()
      .default(false)
      .meta({ description: 'true: keys that `bunri keys` made are accepted too' }),
    DEMO: z.stringbool().default(false).meta({ description: 'true: no API keys; only together with a loopback HOST' }),
    RATE_LIMIT_PER_MINUTE: z.coerce
      .number()
      .int()
      .positive()
      .default(600)
      .meta({ description: 'requests that one API key may send in a minute' }),
    ALLOW_HTTP_IMAGE_URLS: z
      .stringbool()
      .default(false)
      .meta({ description: 'true: image_url may be http, not only https' }),
    S3_PUBLIC_ENDPOINT: z.url().optional().meta({
      description: 'URL at which clients reach the bucket, for presigned uploads; without it S3_ENDPOINT',
    }),
    BULL_BOARD: z.enum(boardModes).default('read-only').meta({
      description: 'bull-board at /admin/queues, for keys with the scope admin; full shows all of a job and changes it',
    }),
    ...modelSettings,
    VISION_MODELS: visionModelsSetting,
    ...spendingSettings,
    ...webhookSettings,
  })
  .superRefine(({ API_KEYS, API_KEYS_FILE, API_KEYS_IN_REDIS, DEMO, HOST }, context) => {
    const refuse = (setting: string, message: string) => context.addIssue({ code: 'custom', path: [setting], message });
    if (API_KEYS && API_KEYS_FILE) refuse('API_KEYS_FILE', 'and API_KEYS are both given; keep one');
    if (DEMO && (API_KEYS || API_KEYS_FILE || API_KEYS_IN_REDIS))
      refuse('DEMO', 'would ignore the API keys that are given; keep one');
    if (DEMO && !isLoopback(HOST)) refuse('DEMO', 'needs a HOST that only this machine reaches, such as 127.0.0.1');
    if (!DEMO && !API_KEYS && !API_KEYS_FILE && !API_KEYS_IN_REDIS) refuse('API_KEYS', 'is required');
  });
export type Config = z.infer<typeof configSchema>;

function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback');
}
