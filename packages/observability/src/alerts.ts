import type { AlertGroup } from './alert.ts';
import { modelAlerts } from './alerts/models.ts';
import { processAlerts } from './alerts/processes.ts';
import { queueAlerts } from './alerts/queues.ts';
import { requestAlerts } from './alerts/requests.ts';
import { storeAlerts } from './alerts/stores.ts';
import { webhookAndBatchAlerts } from './alerts/webhooks-and-batches.ts';

/** Every alert; each group is a file of the chart. */
export const alertGroups: readonly AlertGroup[] = [
  requestAlerts,
  queueAlerts,
  webhookAndBatchAlerts,
  modelAlerts,
  storeAlerts,
  processAlerts,
];
