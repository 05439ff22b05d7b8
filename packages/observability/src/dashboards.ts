import { stageNames } from '@bunri/queue-contracts';
import { batchAndTenants } from './dashboards/batch-and-tenants.ts';
import { modelApi } from './dashboards/model-api.ts';
import { overview } from './dashboards/overview.ts';
import { redisAndProcesses } from './dashboards/redis-and-processes.ts';
import { stageDashboard } from './dashboards/stage.ts';
import type { DashboardPlan } from './panel.ts';

/** All dashboards that show metrics: one for each stage of the catalogue among them. */
export const dashboards: readonly DashboardPlan[] = [
  overview,
  ...stageNames.map(stageDashboard),
  modelApi,
  redisAndProcesses,
  batchAndTenants,
];
