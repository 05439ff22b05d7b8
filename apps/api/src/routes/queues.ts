import { Router } from 'express';
import { z } from 'zod';
import type { Admit } from '../admission.ts';
import { queueStateSchema, type QueueOverview } from '../queue-overview.ts';

export const queuesSchema = z.object({ queues: z.array(queueStateSchema) });

export function queueRoutes({ admit, queues }: { admit: Admit; queues: QueueOverview }): Router {
  const router = Router();
  router.get('/v1/queues', async (request, response) => {
    await admit(request, response, 'read');
    response.json({ queues: await queues.read() });
  });
  return router;
}
