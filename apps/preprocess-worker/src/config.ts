import { isIP } from 'node:net';
import * as z from 'zod';
import { processSettings, storageSettings, workerSettings } from '@bunri/runtime';

const addressList = z
  .string()
  .default('')
  .transform((text) => text.split(',').flatMap((entry) => entry.trim() || []))
  .refine((entries) => entries.every(isAddressOrRange), 'must be IP addresses or CIDR ranges, separated by commas');

function isAddressOrRange(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

export const configSchema = z.object({
  ...processSettings,
  ...storageSettings,
  ...workerSettings,
  IMAGE_RETENTION_DAYS: z.coerce.number().int().min(2).default(30).meta({
    description: 'days that the scheduler keeps an image; a known image is stored again before they are over',
  }),
  DECODE_MEMORY_MIB: z.coerce
    .number()
    .int()
    .min(64)
    .default(256)
    .meta({ description: 'memory that all decoders of this process may use together, MiB' }),
  DECODE_CONCURRENCY: z.coerce
    .number()
    .int()
    .positive()
    .optional()
    .meta({ description: 'pictures whose pixels this process works on at once; as many as its cores if empty' }),
  IMAGE_URL_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .positive()
    .default(15_000)
    .meta({ description: 'time for fetching an image_url, redirects included, ms' }),
  ALLOW_HTTP_IMAGE_URLS: z
    .stringbool()
    .default(false)
    .meta({ description: 'whether an image_url may use http instead of https' }),
  IMAGE_URL_ADDRESSES: addressList.meta({
    description: 'private addresses or CIDR ranges that an image_url may reach, separated by commas',
  }),
});
