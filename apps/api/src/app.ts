import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { answers, type ReadinessCheck } from '@bunri/runtime';
import { openApiDocument } from './openapi.ts';
import { createPathCheck } from './known-paths.ts';
import { problemDocument, toProblem } from './problem.ts';
import type { QueueOverview } from './queue-overview.ts';
import { assignRequestId, observeRequests, requestIdOf } from './request-log.ts';
import { classificationRoutes, type ClassificationDeps } from './routes/classifications.ts';
import { clarificationRoutes, type ClarificationDeps } from './routes/clarifications.ts';
import { deadLetterRoutes, type DeadLetterDeps } from './routes/dead-letters.ts';
import { eventRoutes, type EventsDeps } from './routes/events.ts';
import { feedbackRoutes, type FeedbackDeps } from './routes/feedback.ts';
import { healthRoutes } from './routes/health.ts';
import { itemRoutes } from './routes/items.ts';
import { itemsPageRoutes } from './routes/items-page.ts';
import { queueRoutes } from './routes/queues.ts';
import { replayRoutes, type ReplayDeps } from './routes/replays.ts';

export interface ApiDeps
  extends ClassificationDeps, ClarificationDeps, EventsDeps, DeadLetterDeps, ReplayDeps, FeedbackDeps {
  readonly queues: QueueOverview;
  readonly checks: Record<string, ReadinessCheck>;
}

/** An API has no page to protect, so that everything a browser might do with an answer is forbidden. */
const headers = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** The whole HTTP interface. It opens nothing and listens nowhere. */
export function createApp(deps: ApiDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(assignRequestId, observeRequests(deps));
  app.use((_request, response, next) => {
    response.set(headers);
    next();
  });
  let document: ReturnType<typeof openApiDocument> | undefined;
  // Made when it is first asked for: it takes a good part of the time to start.
  const readDocument = () => (document ??= openApiDocument());
  app.use(healthRoutes({ ...deps, readDocument }));
  app.use(classificationRoutes(deps), eventRoutes(deps), itemRoutes(deps), queueRoutes(deps));
  app.use(itemsPageRoutes());
  app.use(clarificationRoutes(deps), feedbackRoutes(deps), deadLetterRoutes(deps), replayRoutes(deps));
  app.use(createPathCheck(readDocument));
  app.use(answerProblem(deps));
  return app;
}

function answerProblem({ log, records }: ApiDeps) {
  // Express tells an error handler from others by its four parameters.
  return async (error: unknown, _request: Request, response: Response, _next: NextFunction): Promise<void> => {
    const problem = await toProblem(error, async () => await answers(records.redis, 500));
    const requestId = requestIdOf(response);
    const facts = { http_request_id: requestId, error: problem };
    if (problem.status === 500) log.error('request failed', facts);
    else if (problem.status > 500) log.warn('request failed', facts);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.status(problem.status).set(problem.headers).type('application/problem+json');
    response.send(JSON.stringify(problemDocument(problem, requestId)));
  };
}
