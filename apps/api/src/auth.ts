import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import { apiKeyScopes, ConfigError, endOf, ownerPattern, storedKeyId, type ApiKeyScope } from '@bunri/runtime';
import { Problem, serviceUnavailable } from './problem.ts';
import { isFromElsewhere, namesThisMachine } from './request-origin.ts';
import type { StoredKeys } from './stored-keys.ts';

export const scopes = apiKeyScopes;
export type Scope = ApiKeyScope;

const apiKeySchema = z.strictObject({
  id: z.string().regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of the secret in lower-case hex'),
  owner: z.string().regex(ownerPattern, 'must be 1 to 128 letters, digits, _, ., @ or -'),
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
  /** Requests that the key may send in a minute; without it what every key may. */
  readonly ratePerMinute?: number;
  /** A browser's session stands for the key: it goes along by itself, so that it submits nothing. */
  readonly bySession?: true;
}

/** Tells the client from a request's headers. @throws Problem `unauthorized`, `service_unavailable` */
export type Identify = (headers: IncomingHttpHeaders) => Promise<Client>;

/**
 * Everybody, in a demo that only this machine can reach. Its browsers open pages of others too, which must not use it.
 * @throws Problem `forbidden`
 */
export const identifyAsDemo: Identify = async (headers) => {
  if (isFromElsewhere(headers) || !namesThisMachine(headers)) {
    throw new Problem('forbidden', 'A demo answers its own pages and programs of this machine, at its own address.');
  }
  return await Promise.resolve({ keyId: 'demo', owner: 'demo', scopes: ['admin'] });
};

/** @param keys those of the settings, which come first @param stored those in Redis, where they are accepted */
export function identifyByKey(keys: readonly ApiKey[], stored?: StoredKeys, now: () => number = Date.now): Identify {
  const byId = new Map(keys.map((key) => [key.id, key]));
  return async (headers) => {
    const presented = presentedKey(headers);
    if (presented === null) throw unauthorized('Send an API key: Authorization: Bearer <id>.<secret>.');
    const [, id = '', secret = ''] = /^([\w-]{1,64})\.(.+)$/.exec(presented) ?? [];
    const key = byId.get(id);
    if (key || !stored || !storedKeyId.test(id)) {
      if (!matchesAny(secret, key ? [key.sha256] : []) || !key) throw unknownKey();
      return { keyId: key.id, owner: key.owner, scopes: key.scopes };
    }
    return await identifyStored(stored, { id, secret, at: now() });
  };
}

async function identifyStored(
  stored: StoredKeys,
  { id, secret, at }: { id: string; secret: string; at: number },
): Promise<Client> {
  const key = await stored.find(id).catch((error: unknown) => {
    throw serviceUnavailable(error);
  });
  const valid = (key?.secrets ?? []).filter(({ expiresAt }) => expiresAt === undefined || expiresAt > at);
  if (
    !matchesAny(
      secret,
      valid.map(({ sha256 }) => sha256),
    ) ||
    !key
  )
    throw unknownKey();
  // Only who has the secret is told more.
  const ended = endOf(key, at);
  if (ended !== null) throw unauthorized(`The API key is ${ended}. Ask for a new one.`);
  stored.used(id);
  const { owner, scopes: may, ratePerMinute } = key;
  return { keyId: id, owner, scopes: may, ...(ratePerMinute === undefined ? {} : { ratePerMinute }) };
}

/** In a time that does not depend on the secret; an unknown key costs the same comparison as a wrong secret. */
function matchesAny(secret: string, hashes: readonly string[]): boolean {
  const presented = createHash('sha256').update(secret).digest();
  const expected = hashes.length > 0 ? hashes : ['0'.repeat(64)];
  return expected.map((hash) => timingSafeEqual(presented, Buffer.from(hash, 'hex'))).includes(true);
}

/** The key that a request carries, as `<id>.<secret>`; null where it carries none. */
export function presentedKey(headers: IncomingHttpHeaders): string | null {
  const [, bearer] = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  const own = headers['x-api-key'];
  return bearer ?? (typeof own === 'string' ? own : null);
}

function unknownKey(): Problem {
  return unauthorized('The API key is not known. Check it, or ask for a new one.');
}

export function unauthorized(detail: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="bunri"' } });
}

/** @throws Problem `forbidden`; `unauthorized` for a session where a key is needed */
export function requireScope(client: Client, scope: Scope): void {
  if (client.bySession && scope === 'submit') {
    throw unauthorized('A session looks after the service and submits nothing. Send an API key.');
  }
  if (client.scopes.includes(scope) || client.scopes.includes('admin')) return;
  throw new Problem('forbidden', `This needs an API key with the scope ${scope}.`);
}
