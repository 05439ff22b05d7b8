import { Router } from 'express';
import { failingChecks, type Metrics, type ReadinessCheck } from '@bunri/runtime';

/** What the cluster asks, and the description of everything else. None of it needs a key. */
export function healthRoutes({
  metrics,
  checks,
  readDocument,
}: {
  metrics: Metrics;
  checks: Record<string, ReadinessCheck>;
  readDocument: () => object;
}): Router {
  const router = Router();
  // From the event loop alone: an absent Redis must not get the pod killed.
  router.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n');
  });
  router.get('/readyz', async (_request, response) => {
    const failing = await failingChecks(checks);
    response.status(failing.length === 0 ? 200 : 503).json({ ready: failing.length === 0, failing });
  });
  router.get('/metrics', async (_request, response) => {
    response.set('content-type', metrics.registry.contentType).end(await metrics.registry.metrics());
  });
  router.get('/openapi.json', (_request, response) => {
    response.json(readDocument());
  });
  return router;
}
