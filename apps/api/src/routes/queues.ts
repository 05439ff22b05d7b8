import { Router } from 'express';
import * as z from 'zod';
import type { Admit } from '../admission.ts';
import { forecastSchema, toForecast, type Forecast } from '../forecast.ts';
import { queueStateSchema, type QueueOverview } from '../queue-overview.ts';

export const queuesSchema = z.object({
  queues: z.array(queueStateSchema),
  estimates: z
    .object({ interactive: forecastSchema, batch: forecastSchema })
    .meta({ description: 'For a request that you would submit now.' }),
});

export interface QueuesDeps {
  readonly admit: Admit;
  readonly queues: QueueOverview;
  readonly forecast: Forecast;
}

export function queueRoutes({ admit, queues, forecast }: QueuesDeps): Router {
  const router = Router();
  router.get('/v1/queues', async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    const [states, interactive, batch] = await Promise.all([
      queues.read(),
      forecast.ofNext(owner, 'interactive'),
      forecast.ofNext(owner, 'batch'),
    ]);
    const estimates = { interactive: toForecast(interactive), batch: toForecast(batch) };
    response.json({ queues: states, estimates });
  });
  return router;
}
