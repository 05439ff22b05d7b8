import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { answers, type ReadinessCheck } from '@bunri/runtime';
import { openApiDocument } from './openapi.ts';
import { createPathCheck } from './known-paths.ts';
import { problemDocument, toProblem } from './problem.ts';
import type { QueueOverview } from './queue-overview.ts';
import { assignRequestId, observeRequests, requestIdOf } from './request-log.ts';
import { batchRoutes, type BatchDeps } from './routes/batches.ts';
import { boardRoutes, type BoardDeps } from './routes/board.ts';
import { classificationRoutes, type ClassificationDeps } from './routes/classifications.ts';
import { clarificationRoutes, type ClarificationDeps } from './routes/clarifications.ts';
import { deadLetterRoutes, type DeadLetterDeps } from './routes/dead-letters.ts';
import { endingRoutes, type EndingDeps } from './routes/endings.ts';
import { eventRoutes, type EventsDeps } from './routes/events.ts';
import { feedbackRoutes, type FeedbackDeps } from './routes/feedback.ts';
import { healthRoutes } from './routes/health.ts';
import { itemRoutes } from './routes/items.ts';
import { itemsPageRoutes } from './routes/items-page.ts';
import { opsRoutes } from './routes/ops.ts';
import { docsRoutes } from './routes/page-docs.ts';
import { pageRoutes } from './routes/page.ts';
import { queueRoutes } from './routes/queues.ts';
import { replayRoutes, type ReplayDeps } from './routes/replays.ts';
import { sessionRoutes, type SessionDeps } from './routes/session.ts';
import { statsRoutes, type StatsDeps } from './routes/stats.ts';
import { webhookRoutes, type WebhookDeps } from './routes/webhooks.ts';
import { uploadRoutes, type UploadDeps } from './routes/uploads.ts';
import { securityHeaders } from './security-headers.ts';

export interface ApiDeps
  extends
    ClassificationDeps,
    EndingDeps,
    UploadDeps,
    ClarificationDeps,
    EventsDeps,
    DeadLetterDeps,
    ReplayDeps,
    FeedbackDeps,
    WebhookDeps,
    BatchDeps,
    StatsDeps,
    SessionDeps,
    BoardDeps {
  readonly queues: QueueOverview;
  readonly checks: Record<string, ReadinessCheck>;
}

/** The whole HTTP interface. It opens nothing and listens nowhere. */
export function createApp(deps: ApiDeps): Express {
  const app = express();
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(assignRequestId, observeRequests(deps));
  app.use(securityHeaders());
  let document: ReturnType<typeof openApiDocument> | undefined;
  // Made when it is first asked for: it takes a good part of the time to start.
  const readDocument = () => (document ??= openApiDocument());
  app.use(healthRoutes({ ...deps, readDocument }));
  app.use(classificationRoutes(deps), endingRoutes(deps), uploadRoutes(deps));
  app.use(eventRoutes(deps), itemRoutes(deps), queueRoutes(deps));
  app.use(pageRoutes(), docsRoutes({ readDocument }), itemsPageRoutes(), batchRoutes(deps));
  app.use(clarificationRoutes(deps), feedbackRoutes(deps), deadLetterRoutes(deps), replayRoutes(deps));
  app.use(webhookRoutes(deps), statsRoutes(deps), sessionRoutes(deps), opsRoutes(), boardRoutes(deps));
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
