import { Router, type CookieOptions, type Request } from 'express';
import type { Audit } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { presentedKey, unauthorized } from '../auth.ts';
import { sessionCookie, sessionLifeS, sessionToken, type Sessions } from '../sessions.ts';

export interface SessionDeps {
  readonly admit: Admit;
  readonly audit: Audit;
  /** Undefined in a demo, which asks nobody for a key. */
  readonly sessions: Sessions | undefined;
}

export const sessionPath = '/v1/admin/session';

/** Lets a browser look at the pages of operation for an hour, for a key with the scope `admin`. */
export function sessionRoutes({ admit, audit, sessions }: SessionDeps): Router {
  const router = Router();
  router.post(sessionPath, async (request, response) => {
    const { keyId } = await admit(request, response, 'admin');
    if (sessions) {
      const key = presentedKey(request.headers);
      // A session does not make the next: its hour would never end.
      if (key === null) throw unauthorized('Send an API key: Authorization: Bearer <id>.<secret>.');
      response.cookie(sessionCookie, await sessions.open(key), { ...cookieOf(request), maxAge: sessionLifeS * 1000 });
      await audit.record({ actor: keyId, action: 'session.open', target: keyId, outcome: 'done' });
    }
    response.status(204).end();
  });

  router.delete(sessionPath, async (request, response) => {
    await admit(request, response, 'admin');
    const token = sessionToken(request.headers);
    if (token !== null) await sessions?.close(token);
    response.clearCookie(sessionCookie, cookieOf(request));
    response.status(204).end();
  });
  return router;
}

function cookieOf(request: Request): CookieOptions {
  // TLS mostly ends before this process, at the first of the proxies, which each may add what they know. Over plain HTTP a
  // browser would not send a secure cookie back.
  const isSecure = request.secure || /^https\b/i.test(request.get('x-forwarded-proto') ?? '');
  return { httpOnly: true, sameSite: 'strict', secure: isSecure, path: '/' };
}
