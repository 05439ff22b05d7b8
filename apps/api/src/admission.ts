import type { Request, Response } from 'express';
import { requireScope, type Client, type Identify, type Scope } from './auth.ts';
import { Problem } from './problem.ts';
import { rateLimitWindowS, type RateLimit } from './rate-limit.ts';

/**
 * The door of every `/v1` route, to be passed before anything else is read or done.
 * @throws Problem `unauthorized`, `forbidden`, `rate_limited`, `service_unavailable`
 */
export type Admit = (request: Request, response: Response, scope: Scope) => Promise<Client>;

export function createAdmission({ identify, rateLimit }: { identify: Identify; rateLimit: RateLimit }): Admit {
  return async (request, response, scope) => {
    const client = await identify(request.headers);
    response.locals['keyId'] = client.keyId;
    const { allowed, limit, remaining, resetS } = await rateLimit.take(client.keyId, client.ratePerMinute);
    // draft-ietf-httpapi-ratelimit-headers-10
    response.set('RateLimit-Policy', `"minute";q=${limit};w=${rateLimitWindowS}`);
    response.set('RateLimit', `"minute";r=${remaining};t=${resetS}`);
    if (!allowed) {
      const detail = `This API key may send ${limit} requests a minute. Wait ${resetS} seconds.`;
      throw new Problem('rate_limited', detail, { retryAfterS: resetS });
    }
    requireScope(client, scope);
    return client;
  };
}
