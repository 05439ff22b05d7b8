import { createHash } from 'node:crypto';

/** In hexadecimal digits. Apart from the storage, so that who hashes does not load the SDK. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
