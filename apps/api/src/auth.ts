import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import { ConfigError } from '@bunri/runtime';
import { Problem } from './problem.ts';

/** `submit` sends and cancels requests, `read` reads; `admin` may do both. */
export const scopes = ['submit', 'read', 'admin'] as const;
export type Scope = (typeof scopes)[number];

const apiKeySchema = z.strictObject({
  id: z.string().regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of the secret in lower-case hex'),
  owner: z.string().regex(/^[\w.@-]{1,128}$/, 'must be 1 to 128 letters, digits, _, ., @ or -'),
  scopes: z.array(z.enum(scopes)).min(1),
});
export type ApiKey = z.infer<typeof apiKeySchema>;

/** Keys as JSON text. Its messages quote nothing of the text. */
export const apiKeysSchema = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'is not JSON' });
      return z.NEVER;
    }
  })
  .pipe(
    z
      .array(apiKeySchema)
      .min(1)
      .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, 'has two keys of one id'),
  );

/** Keys from a mounted file. @throws ConfigError when it cannot be read or is not a list of keys. */
export async function readApiKeys(path: string): Promise<ApiKey[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`API_KEYS_FILE ${path} cannot be read`, { cause: error });
  }
  const result = apiKeysSchema.safeParse(text);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: at, message }) => `${at.join('.')} ${message}`.trim());
  throw new ConfigError(`API_KEYS_FILE ${path}: ${problems.join('; ')}`);
}

/** Whoever sent a request. Rate limits count by key, records belong to the owner. */
export interface Client {
  readonly keyId: string;
  readonly owner: string;
  readonly scopes: readonly Scope[];
}

/** Tells the client from a request's headers. @throws Problem `unauthorized` */
export type Identify = (headers: IncomingHttpHeaders) => Client;

/** Everybody, in a demo that only this machine can reach. */
export const identifyAsDemo: Identify = () => ({ keyId: 'demo', owner: 'demo', scopes: ['admin'] });

export function identifyByKey(keys: readonly ApiKey[]): Identify {
  const byId = new Map(keys.map((key) => [key.id, key]));
  return (headers) => {
    const presented = presentedKey(headers);
    if (presented === null) throw unauthorized('Send an API key: Authorization: Bearer <id>.<secret>.');
    const [, id = '', secret = ''] = /^([\w-]{1,64})\.(.+)$/.exec(presented) ?? [];
    const key = byId.get(id);
    // An unknown id costs the same comparison as a wrong secret.
    const expected = Buffer.from(key?.sha256 ?? '0'.repeat(64), 'hex');
    const matches = timingSafeEqual(createHash('sha256').update(secret).digest(), expected);
    if (!key || !matches) throw unauthorized('The API key is not known. Check it, or ask for a new one.');
    return { keyId: key.id, owner: key.owner, scopes: key.scopes };
  };
}

function presentedKey(headers: IncomingHttpHeaders): string | null {
  const [, bearer] = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  const own = headers['x-api-key'];
  return bearer ?? (typeof own === 'string' ? own : null);
}

function unauthorized(detail: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="bunri"' } });
}

/** @throws Problem `forbidden` */
export function requireScope(client: Client, scope: Scope): void {
  if (client.scopes.includes(scope) || client.scopes.includes('admin')) return;
  throw new Problem('forbidden', `This needs an API key with the scope ${scope}.`);
}
