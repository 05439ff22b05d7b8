import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import { createKeys, endOf, sha256 } from '@bunri/runtime';
import { presentedKey, unauthorized, type ApiKey, type Client, type Identify } from './auth.ts';
import { Problem } from './problem.ts';
import { isFromElsewhere } from './request-origin.ts';
import type { StoredKeys } from './stored-keys.ts';

export const sessionCookie = 'bunri-session';
export const sessionLifeS = 3600;

/**
 * What stands for a key in a browser, which cannot send a header with each page that it opens. Redis keeps the hash of the
 * token, and of the key no more than it keeps anyway.
 */
export interface Sessions {
  /** @param key as `<id>.<secret>`; has been checked @returns the token, good for an hour */
  open(key: string): Promise<string>;
  /** Null where the session is over, or its key is: revoked, expired, or with another secret. */
  find(token: string): Promise<Client | null>;
  close(token: string): Promise<void>;
}

const keptSchema = z.object({ id: z.string(), sha256: z.string() });
type Kept = z.infer<typeof keptSchema>;

export function createSessions(options: {
  redis: Redis;
  prefix: string;
  /** Keys of the settings, which come first. */
  keys: readonly ApiKey[];
  stored?: StoredKeys | undefined;
  now: () => number;
}): Sessions {
  const { redis, prefix, keys, stored, now } = options;
  const keyOf = (token: string) => createKeys(prefix).session(sha256(token));
  const byId = new Map(keys.map((key) => [key.id, key]));

  async function clientOf({ id, sha256: hash }: Kept): Promise<Client | null> {
    const own = byId.get(id);
    if (own) return own.sha256 === hash ? { keyId: id, owner: own.owner, scopes: own.scopes } : null;
    const at = now();
    const key = await stored?.find(id);
    const isValid = key?.secrets.some((one) => one.sha256 === hash && (one.expiresAt ?? Infinity) > at) ?? false;
    if (!key || !isValid || endOf(key, at) !== null) return null;
    stored?.used(id);
    const { owner, scopes, ratePerMinute } = key;
    return { keyId: id, owner, scopes, ...(ratePerMinute === undefined ? {} : { ratePerMinute }) };
  }

  return {
    async open(key) {
      const [, id = '', secret = ''] = /^([^.]+)\.(.+)$/.exec(key) ?? [];
      const token = randomBytes(32).toString('base64url');
      const kept: Kept = { id, sha256: createHash('sha256').update(secret).digest('hex') };
      await redis.set(keyOf(token), JSON.stringify(kept), 'EX', sessionLifeS);
      return token;
    },
    async find(token) {
      const kept = await redis.get(keyOf(token));
      return kept === null ? null : await clientOf(keptSchema.parse(JSON.parse(kept)));
    },
    async close(token) {
      await redis.del(keyOf(token));
    },
  };
}

/** The token that a browser sent; null where it sent none. */
export function sessionToken(headers: IncomingHttpHeaders): string | null {
  const [, token] = /(?:^|;\s*)bunri-session=([\w-]{43})(?:;|$)/.exec(headers.cookie ?? '') ?? [];
  return token ?? null;
}

/** Takes a session in the place of a key. A key that is sent along counts for itself. */
export function identifyBySession(sessions: Sessions, identify: Identify): Identify {
  return async (headers) => {
    const token = sessionToken(headers);
    if (token === null || presentedKey(headers) !== null) return await identify(headers);
    if (isFromElsewhere(headers)) {
      throw new Problem('forbidden', 'A session is good for this service’s own pages alone. Send an API key.');
    }
    const client = await sessions.find(token);
    if (!client) throw unauthorized('The session is over. Open another with your API key, at /ops.');
    return { ...client, bySession: true };
  };
}
