import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import { createKeys, type Logger } from '@bunri/runtime';
import { formatSecret } from './signature.ts';

export interface WebhookSecret {
  readonly secret: string;
  /** Epoch ms. */
  readonly createdAt: number;
  /** Until when a secret that was replaced still signs, epoch ms; null for the present one. */
  readonly expiresAt: number | null;
}

/** A stored secret does not open with the key of this process. */
export class SecretUnreadableError extends Error {
  override readonly name = 'SecretUnreadableError';
}

const storedSchema = z.array(z.object({ sealed: z.string(), createdAt: z.int(), expiresAt: z.int().nullable() }));
type Stored = z.infer<typeof storedSchema>;

const secretBytes = 32;
const overlapMs = 24 * 3600 * 1000;
/** Each of them makes another signature in every message. */
const maxReplaced = 3;
/** Each that fails is another's that succeeded. */
const mostRounds = 20;

/** KEYS 1 the secrets. ARGV 1 what is expected there or '', 2 what takes its place. Answers whether it did. */
const replaceScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`;

export interface WebhookSecretsOptions {
  readonly redis: Redis;
  readonly prefix: string;
  /** 32 bytes. */
  readonly key: Buffer;
  readonly log: Logger;
  readonly now: () => number;
  /** The key is this process's own, as in a demo: what was stored under another one is given up. */
  readonly isEphemeral?: boolean | undefined;
}

export type WebhookSecrets = ReturnType<typeof createWebhookSecrets>;

/** One secret an owner, kept under AES-256-GCM and bound to the owner; a replaced one signs along for a day. */
export function createWebhookSecrets({ redis, prefix, key, log, now, isEphemeral = false }: WebhookSecretsOptions) {
  const keys = createKeys(prefix);
  redis.defineCommand('bunri_webhook_secrets', { lua: replaceScript, numberOfKeys: 1 });
  const script = redis as unknown as {
    bunri_webhook_secrets(key: string, expected: string, next: string): Promise<number>;
  };

  async function load(owner: string): Promise<{ text: string; stored: Stored }> {
    const text = (await redis.get(keys.webhookSecrets(owner))) ?? '';
    const stored = text === '' ? [] : storedSchema.parse(JSON.parse(text));
    return { text, stored: isEphemeral ? stored.filter(({ sealed }) => opens(key, owner, sealed)) : stored };
  }

  /** The new secret comes first; whoever changed them in between decides. */
  async function change(owner: string, next: (stored: Stored) => Stored | null): Promise<WebhookSecret[]> {
    for (let round = 0; round < mostRounds; round += 1) {
      const { text, stored } = await load(owner);
      const changed = next(stored);
      if (!changed) return open(owner, stored);
      const done = await script.bunri_webhook_secrets(keys.webhookSecrets(owner), text, JSON.stringify(changed));
      if (done === 1) return open(owner, changed);
    }
    throw new Error('the secrets of this owner change all the time');
  }

  function open(owner: string, stored: Stored): WebhookSecret[] {
    const live = stored.filter(({ expiresAt }) => expiresAt === null || expiresAt > now());
    return live.map(({ sealed, ...times }) => ({ secret: unseal(key, owner, sealed), ...times }));
  }

  function fresh(owner: string): Stored[number] {
    return { sealed: seal(key, owner, formatSecret(randomBytes(secretBytes))), createdAt: now(), expiresAt: null };
  }

  return {
    /** The present one first, then those that it replaced lately; none before the first use. @throws SecretUnreadableError */
    async read(owner: string): Promise<WebhookSecret[]> {
      return open(owner, (await load(owner)).stored);
    },

    /** As `read`, with a new one where there was none. @throws SecretUnreadableError */
    async ensure(owner: string): Promise<WebhookSecret[]> {
      return await change(owner, (stored) => (stored.length > 0 ? null : [fresh(owner)]));
    },

    /** A new secret; the former one signs along for a day. What this process cannot read is given up. */
    async rotate(owner: string): Promise<WebhookSecret[]> {
      const secrets = await change(owner, (stored) => {
        const readable = stored.filter(({ sealed }) => opens(key, owner, sealed));
        if (readable.length < stored.length) log.warn('webhook secrets that cannot be read are given up', { owner });
        const until = now() + overlapMs;
        const replaced = readable
          .map((one) => ({ ...one, expiresAt: Math.min(one.expiresAt ?? until, until) }))
          .filter(({ expiresAt }) => expiresAt > now());
        return [fresh(owner), ...replaced.slice(0, maxReplaced)];
      });
      log.info('webhook secret rotated', { owner });
      return secrets;
    },
  };
}

const ivBytes = 12;
const tagBytes = 16;

function seal(key: Buffer, owner: string, text: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(owner));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

function unseal(key: Buffer, owner: string, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  try {
    const tag = bytes.subarray(ivBytes, ivBytes + tagBytes);
    const options = { authTagLength: tagBytes };
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), options);
    decipher.setAAD(Buffer.from(owner)).setAuthTag(tag);
    return decipher.update(bytes.subarray(ivBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch (error) {
    throw new SecretUnreadableError(
      'a webhook secret was stored under another WEBHOOK_SECRET_KEY: give the processes that key again; if it is lost, each owner has to rotate its secret, POST /v1/webhooks/secret/rotate',
      { cause: error },
    );
  }
}

function opens(key: Buffer, owner: string, sealed: string): boolean {
  try {
    unseal(key, owner, sealed);
    return true;
  } catch {
    return false;
  }
}
