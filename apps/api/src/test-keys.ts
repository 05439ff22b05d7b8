// The API keys of the tests of this folder.
import { sha256 } from '@bunri/runtime';
import type { Scope } from './auth.ts';

const clients: Record<string, { owner: string; scopes: Scope[] }> = {
  ann: { owner: 'ann', scopes: ['submit', 'read'] },
  annReads: { owner: 'ann', scopes: ['read'] },
  bob: { owner: 'bob', scopes: ['submit', 'read'] },
  root: { owner: 'operations', scopes: ['admin'] },
};
const secretOf = (id: string) => `secret-of-${id}`;

/** The keys as the API is told of them. */
export function testKeys() {
  return Object.entries(clients).map(([id, client]) => ({ id, sha256: sha256(secretOf(id)), ...client }));
}

/** The key itself. */
export function bearerKey(id: string): string {
  return `${id}.${secretOf(id)}`;
}

/** The key as it is sent. */
export function bearer(id: string): Record<string, string> {
  return { authorization: `Bearer ${bearerKey(id)}` };
}
