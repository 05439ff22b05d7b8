import { createHmac } from 'node:crypto';

const secretPrefix = 'whsec_';

/** A secret as receivers are given it. @param bytes 24 to 64 of them */
export function formatSecret(bytes: Buffer): string {
  return `${secretPrefix}${bytes.toString('base64')}`;
}

export interface SignedMessage {
  readonly id: string;
  /** Of this attempt, epoch seconds. */
  readonly timestampS: number;
  readonly body: string;
}

/**
 * The headers of the Standard Webhooks specification (standardwebhooks.com): an HMAC-SHA256 of id, time and body by each
 * secret, so that a receiver may hold any of them while one is rotated.
 */
export function signatureHeaders(secrets: readonly string[], { id, timestampS, body }: SignedMessage) {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatures.join(' '),
  };
}
