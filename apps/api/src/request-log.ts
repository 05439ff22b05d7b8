import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { startTrace, type Logger, type Metrics, type TraceSpan } from '@bunri/runtime';

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
    const span = probes.has(request.path) ? null : startRequestSpan(request);
    response.once('close', () => {
      const route = routeOf(request) ?? 'unmatched';
      const durationMs = now() - startedAt;
      const isStream = String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
      if (!isStream) {
        const labels = { method: request.method, route, status: response.statusCode };
        metrics.httpSeconds.observe(labels, durationMs / 1000);
      }
      if (span) endRequestSpan(span, route, response);
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
        ...(span?.traceId === undefined ? {} : { trace_id: span.traceId }),
      });
    });
    if (span) span.run(next);
    else next();
  };
}

/** Neither path nor query: they may hold what is a client's own. */
function startRequestSpan(request: Request): TraceSpan | null {
  const { method } = request;
  const plan = { name: method, kind: 'server', attributes: { 'http.request.method': method } } as const;
  return startTrace(plan, request.get('traceparent'));
}

/** Called when the answer is out or its client gone; of a stream, that is its end. */
function endRequestSpan(span: TraceSpan, route: string, response: Response): void {
  const { statusCode: status, locals } = response;
  const requestId: unknown = locals['classificationId'];
  span.rename(`${response.req.method} ${route}`);
  span.set({
    'http.route': route,
    'http.response.status_code': status,
    'bunri.http_request_id': requestIdOf(response),
    ...(typeof requestId === 'string' ? { 'bunri.request_id': requestId } : {}),
  });
  if (status >= 500) span.fail(String(status));
  span.end();
}
