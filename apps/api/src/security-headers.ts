import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * The headers of every answer. An API has no page to protect, so that everything a browser might do with an answer is
 * forbidden; a route that answers with a page sets the `content-security-policy` that the page needs.
 */
export function securityHeaders(): RequestHandler {
  const protect = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: false },
    xFrameOptions: { action: 'deny' },
  });
  return (request, response, next) => {
    response.set('cache-control', 'no-store');
    protect(request, response, next);
  };
}
