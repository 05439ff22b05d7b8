import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import { sha256Schema } from '@bunri/queue-contracts';
import { auditFields, mostAuditEntries, type AuditEntry } from './audit.ts';
import { createKeys } from './keys.ts';
import { sha256 } from './sha256.ts';

/** `submit` sends and cancels requests, `read` reads; `admin` may do both. */
export const apiKeyScopes = ['submit', 'read', 'admin'] as const;
export type ApiKeyScope = (typeof apiKeyScopes)[number];

/** Who a key belongs to, as records name them. */
export const ownerPattern = /^[\w.@-]{1,128}$/;
/** The ids that `create` gives: scanners for leaked secrets know the key by its beginning. */
export const storedKeyId = /^bunri_[0-9a-f]{20}$/;

const epochMs = z.int().nonnegative();
const storedSchema = z.object({
  owner: z.string().regex(ownerPattern),
  label: z.string().optional(),
  scopes: z.array(z.enum(apiKeyScopes)).min(1),
  createdAt: epochMs,
  expiresAt: epochMs.optional(),
  revokedAt: epochMs.optional(),
  ratePerMinute: z.int().positive().optional(),
  /** The newest first. An older one is valid until its own end. */
  secrets: z.array(z.object({ sha256: sha256Schema, expiresAt: epochMs.optional() })).min(1),
});

/** A key as Redis holds it. Times are epoch ms. */
export type StoredApiKey = z.infer<typeof storedSchema> & { readonly id: string };

/** A key as it is shown: nothing of it can be presented. */
export const apiKeyViewSchema = z.object({
  id: z.string(),
  owner: z.string(),
  label: z.string().nullable(),
  scopes: z.array(z.enum(apiKeyScopes)),
  state: z.enum(['active', 'expired', 'revoked']),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable().meta({ description: 'To the minute.' }),
  rate_per_minute: z.int().positive().nullable().meta({ description: 'Null: what the api gives every key.' }),
  old_secret_until: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Until when the secret before the last is valid.' }),
});
export type ApiKeyView = z.infer<typeof apiKeyViewSchema>;

export interface NewApiKey {
  readonly owner: string;
  readonly scopes: readonly ApiKeyScope[];
  readonly label?: string | undefined;
  /** How long it lives; without it until it is revoked. */
  readonly lifeMs?: number | undefined;
  readonly ratePerMinute?: number | undefined;
}

/** A change to a key that cannot be made; the message says why. */
export class ApiKeyRefused extends Error {
  override readonly name = 'ApiKeyRefused';
}

/** What a change did. `told` counts the processes that dropped what they knew of the key; others do within their cache's time. */
export interface ApiKeyChange {
  readonly key: ApiKeyView;
  readonly told: number;
}

export interface ApiKeyIssue extends ApiKeyChange {
  /** `<id>.<secret>`: it is nowhere else, and cannot be shown again. */
  readonly presented: string;
}

export type ApiKeys = ReturnType<typeof createApiKeys>;

/** With those that have ended, which stay to be looked up. */
const mostKeys = 10_000;
/** When there is no room for another key, up to so many go that ended longest ago, and at least so long ago. */
const mostForgotten = 1_000;
const endedKeptMs = 30 * 24 * 3600 * 1000;
/** With the newest. More would make every check of the key slower, and none of them is rotated out. */
const mostSecrets = 4;
const tries = 5;

/**
 * One change and its audit entry, or neither: whoever dies here has changed nothing in silence. KEYS 1 keys, 2 audit. ARGV
 * 1 id, 2 the value that is expected or '', 3 the new value, 4 channel, 5 most entries, 6 most keys, then the entry.
 */
const changeScript = `
local old = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if old ~= ARGV[2] then return -1 end
if old == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then return -2 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', unpack(ARGV, 7))
return redis.call('PUBLISH', ARGV[4], ARGV[1])`;

const noRoom = -2;

/** KEYS 1 keys, 2 their last uses, 3 audit. ARGV 1 how many ids, the ids, most entries, then the entry. */
const forgetScript = `
local ids = {unpack(ARGV, 2, 1 + ARGV[1])}
redis.call('HDEL', KEYS[1], unpack(ids))
redis.call('HDEL', KEYS[2], unpack(ids))
return redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2 + ARGV[1]], '*', unpack(ARGV, 3 + ARGV[1]))`;

/**
 * The API keys in Redis. A secret is 256 random bits, kept as its SHA-256: a slow hash protects what people choose, and here
 * there is nothing to guess, while every request would pay for it.
 */
export function createApiKeys(options: { redis: Redis; prefix: string; now?: () => number }) {
  const { redis, now = Date.now } = options;
  const keys = createKeys(options.prefix);

  async function write(id: string, old: string, key: Stored, entry: AuditEntry): Promise<number> {
    const args = [id, old, JSON.stringify(key), keys.apiKeysChanged, mostAuditEntries, mostKeys, ...auditFields(entry)];
    return Number(await redis.eval(changeScript, 2, keys.apiKeys, keys.audit, ...args));
  }

  /** Changes the key as it is; of two who change it at once, the later one starts from what the earlier one made. */
  async function change(id: string, entry: AuditEntry, alter: (key: Stored) => Stored): Promise<ApiKeyChange> {
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const old = await redis.hget(keys.apiKeys, id);
      if (old === null) throw new ApiKeyRefused(`there is no key ${id}; list shows all there are`);
      const altered = alter(parse(old));
      const told = await write(id, old, altered, entry);
      if (told >= 0) return { key: await view(id, altered), told };
    }
    throw new ApiKeyRefused(`somebody else is changing ${id}; look at it, and try again`);
  }

  /** Nothing ended comes to life again, so that nothing can come between the look and the removal. */
  async function forgetEnded(actor: string): Promise<void> {
    const at = now();
    const ids = Object.entries(await redis.hgetall(keys.apiKeys))
      .map(([id, text]) => ({ id, endedAt: endedAt(parse(text)) }))
      .filter((key) => key.endedAt <= at - endedKeptMs)
      .toSorted((a, b) => a.endedAt - b.endedAt)
      .slice(0, mostForgotten)
      .map(({ id }) => id);
    if (ids.length === 0) return;
    const facts = { keys: ids.length, ended_days_ago: endedKeptMs / 86_400_000 };
    const entry = { actor, action: 'keys.forget', target: ids.join(' '), outcome: 'done', facts } as const;
    const args = [ids.length, ...ids, mostAuditEntries, ...auditFields(entry)];
    await redis.eval(forgetScript, 3, keys.apiKeys, keys.apiKeysUsed, keys.audit, ...args);
  }

  async function view(id: string, key: Stored): Promise<ApiKeyView> {
    return toView({ ...key, id }, await redis.hget(keys.apiKeysUsed, id), now());
  }

  return {
    /** Where there are 10,000 keys, those that ended over 30 days ago make room. @throws ApiKeyRefused where there are none */
    async create(given: NewApiKey, actor: string): Promise<ApiKeyIssue> {
      const { owner, scopes, label, lifeMs, ratePerMinute } = given;
      const id = `bunri_${randomBytes(10).toString('hex')}`;
      const secret = newSecret();
      const createdAt = now();
      const expiresAt = lifeMs === undefined ? undefined : createdAt + lifeMs;
      const key = storedSchema.parse({
        owner,
        label,
        scopes: apiKeyScopes.filter((scope) => scopes.includes(scope)),
        createdAt,
        expiresAt,
        ratePerMinute,
        secrets: [{ sha256: sha256(secret) }],
      });
      const facts = { owner, scopes: key.scopes, label, expires_at: isoTime(expiresAt), rate: ratePerMinute };
      const entry = { actor, action: 'keys.create', target: id, outcome: 'done', facts } as const;
      let told = await write(id, '', key, entry);
      if (told === noRoom) {
        await forgetEnded(actor);
        told = await write(id, '', key, entry);
      }
      if (told < 0) {
        throw new ApiKeyRefused(`there are ${mostKeys} keys, which is the most; ended ones make room after 30 days`);
      }
      return { key: await view(id, key), told, presented: `${id}.${secret}` };
    },

    /** All keys, the newest first; they are at most 10,000. */
    async list(): Promise<ApiKeyView[]> {
      const [all, used] = await Promise.all([redis.hgetall(keys.apiKeys), redis.hgetall(keys.apiKeysUsed)]);
      return Object.entries(all)
        .map(([id, text]) => toView({ ...parse(text), id }, used[id] ?? null, now()))
        .toSorted((a, b) => b.created_at.localeCompare(a.created_at));
    },

    /**
     * Gives the key a new secret; the present one stays valid for `overlapMs`. With `lifeMs` it lives for so long from now on.
     * @throws ApiKeyRefused for a key that is unknown, revoked or expired, or has four valid secrets
     */
    async rotate(
      id: string,
      { overlapMs, lifeMs }: { overlapMs: number; lifeMs?: number | undefined },
      actor: string,
    ): Promise<ApiKeyIssue> {
      const secret = newSecret();
      const expiresAt = lifeMs === undefined ? undefined : now() + lifeMs;
      const facts = { overlap_seconds: Math.round(overlapMs / 1000), expires_at: isoTime(expiresAt) };
      const entry = { actor, action: 'keys.rotate', target: id, outcome: 'done', facts } as const;
      const changed = await change(id, entry, (key) => {
        const at = now();
        // A new end revives no key that has ended: its old secret would be valid again.
        const ended = endOf(key, at);
        if (ended !== null) throw new ApiKeyRefused(`${id} is ${ended}; create a new key`);
        const until = at + overlapMs;
        const older = key.secrets
          .map((old) => ({ ...old, expiresAt: Math.min(old.expiresAt ?? until, until) }))
          .filter((old) => old.expiresAt > at);
        if (older.length >= mostSecrets) {
          throw new ApiKeyRefused(
            `${id} has ${older.length} valid secrets; wait for an overlap to end, or give --overlap 0s`,
          );
        }
        return { ...key, expiresAt: expiresAt ?? key.expiresAt, secrets: [{ sha256: sha256(secret) }, ...older] };
      });
      return { ...changed, presented: `${id}.${secret}` };
    },

    /** Ends the key for good. To revoke it again changes nothing but the audit. @throws ApiKeyRefused for an unknown key */
    async revoke(id: string, actor: string): Promise<ApiKeyChange> {
      const entry = { actor, action: 'keys.revoke', target: id, outcome: 'done' } as const;
      return await change(id, entry, (key) => ({ ...key, revokedAt: key.revokedAt ?? now() }));
    },

    /** The key as it is now, valid or not; null where there is none. */
    async find(id: string): Promise<StoredApiKey | null> {
      const text = await redis.hget(keys.apiKeys, id);
      return text === null ? null : { ...parse(text), id };
    },

    /** Remembers that the key was used just now. */
    async touch(id: string): Promise<void> {
      await redis.hset(keys.apiKeysUsed, id, now());
    },

    /** How many processes hear of changes at this moment: 0 where no running api takes keys from Redis. */
    async listeners(): Promise<number> {
      const [, count = 0] = await redis.pubsub('NUMSUB', keys.apiKeysChanged);
      return Number(count);
    },
  };
}

type Stored = z.infer<typeof storedSchema>;

/** Why the key is not valid at this time; null where it is. */
export function endOf(key: Pick<Stored, 'expiresAt' | 'revokedAt'>, at: number): 'revoked' | 'expired' | null {
  if (key.revokedAt !== undefined) return 'revoked';
  return key.expiresAt !== undefined && key.expiresAt <= at ? 'expired' : null;
}

/** Epoch ms; for a key without an end never. */
function endedAt({ expiresAt = Infinity, revokedAt = Infinity }: Pick<Stored, 'expiresAt' | 'revokedAt'>): number {
  return Math.min(expiresAt, revokedAt);
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function parse(text: string): Stored {
  return storedSchema.parse(JSON.parse(text));
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function toView(key: StoredApiKey, used: string | null, at: number): ApiKeyView {
  const older = key.secrets
    .slice(1)
    .flatMap(({ expiresAt }) => (expiresAt !== undefined && expiresAt > at ? [expiresAt] : []));
  return {
    id: key.id,
    owner: key.owner,
    label: key.label ?? null,
    scopes: key.scopes,
    state: endOf(key, at) ?? 'active',
    created_at: new Date(key.createdAt).toISOString(),
    expires_at: isoTime(key.expiresAt) ?? null,
    revoked_at: isoTime(key.revokedAt) ?? null,
    last_used_at: used === null ? null : new Date(Number(used)).toISOString(),
    rate_per_minute: key.ratePerMinute ?? null,
    old_secret_until: older.length > 0 ? (isoTime(Math.max(...older)) ?? null) : null,
  };
}
