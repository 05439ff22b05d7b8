import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Logger, Metrics } from '@bunri/runtime';

const probes = new Set(['/healthz', '/readyz', '/metrics']);

/** The id of this HTTP exchange: the client's own where it sent a plain one, so that traces join. */
export function requestIdOf(response: Response): string {
  return String(response.locals['requestId']);
}

export function assignRequestId(request: Request, response: Response, next: NextFunction): void {
  const sent = request.get('x-request-id') ?? '';
  response.locals['requestId'] = /^[\w.-]{1,64}$/.test(sent) ? sent : randomUUID();
  response.set('x-request-id', requestIdOf(response));
  next();
}

/** The path as it was registered, so that neither logs nor metrics grow with ids; null where no route matched. */
export function routeOf(request: Request): string | null {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : null;
}

/** One log line and one measurement for each answer. Streams are timed by nobody: their length is the client's wish. */
export function observeRequests({
  log,
  metrics,
  now,
}: {
  log: Logger;
  metrics: Metrics;
  now: () => number;
}): RequestHandler {
  return (request, response, next) => {
    const startedAt = now();
    response.once('close', () => {
      const route = routeOf(request) ?? 'unmatched';
      const durationMs = now() - startedAt;
      const isStream = String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
      if (!isStream) {
        const labels = { method: request.method, route, status: response.statusCode };
        metrics.httpSeconds.observe(labels, durationMs / 1000);
      }
      if (probes.has(route)) return;
      log.info('http', {
        method: request.method,
        route,
        status: response.statusCode,
        duration_ms: durationMs,
        // The client left before it had the whole answer.
        ...(response.writableFinished ? {} : { unfinished: true }),
        http_request_id: requestIdOf(response),
        request_id: response.locals['classificationId'] as unknown,
        key: response.locals['keyId'] as unknown,
      });
    });
    next();
  };
}
