import { isIP } from 'node:net';
import * as z from 'zod';
import type { OutboundPolicy } from '@bunri/runtime/public-fetch';

const secretKeyBytes = 32;

const list = z
  .string()
  .default('')
  .transform((text) => text.split(',').flatMap((entry) => entry.trim() || []));

function isAddressOrRange(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** Settings of the processes that take and deliver webhooks. */
export const webhookSettings = {
  WEBHOOKS: z
    .stringbool()
    .default(true)
    .meta({ description: 'whether this process delivers webhooks; at least one must, if any are to be taken' }),
  WEBHOOK_SECRET_KEY: z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return undefined;
      const key = Buffer.from(text, 'base64');
      if (key.length === secretKeyBytes && key.toString('base64') === text) return key;
      context.addIssue({ code: 'custom', message: `must be ${secretKeyBytes} random bytes in base64` });
      return z.NEVER;
    })
    .meta({
      description:
        'key under which the secrets of webhooks are kept, 32 random bytes in base64; without it none are taken',
    }),
  ALLOW_HTTP_WEBHOOKS: z
    .stringbool()
    .default(false)
    .meta({ description: 'whether a webhook_url may use http instead of https' }),
  WEBHOOK_PORTS: list
    .refine((ports) => ports.every((port) => /^\d{1,5}$/.test(port) && Number(port) <= 65_535), 'must be ports')
    .transform((ports) => ports.map(Number))
    .meta({ description: 'ports that a webhook_url may name, separated by commas; 80 and 443 without it' }),
  WEBHOOK_ADDRESSES: list
    .refine((entries) => entries.every(isAddressOrRange), 'must be IP addresses or CIDR ranges, separated by commas')
    .meta({ description: 'private addresses or CIDR ranges that a webhook_url may reach, separated by commas' }),
};
export type WebhookConfig = z.infer<z.ZodObject<typeof webhookSettings>>;

/** What a `webhook_url` may lead to, by the settings. */
export function webhookPolicy(config: WebhookConfig): OutboundPolicy {
  const { ALLOW_HTTP_WEBHOOKS: allowHttp, WEBHOOK_PORTS: ports, WEBHOOK_ADDRESSES: allowAddresses } = config;
  return { allowHttp, allowAddresses, ...(ports.length > 0 ? { ports } : {}) };
}
