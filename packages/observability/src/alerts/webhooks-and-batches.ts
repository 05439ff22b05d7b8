import { batchQueue, webhookQueue } from '@bunri/queue-contracts';
import type { AlertGroup } from '../alert.ts';
import { objectives } from '../objectives.ts';

const { webhookSeconds, batchOpenSeconds } = objectives;
const labels = { namespace: 'workers' };
const hasNoWorker = (queue: string) => `max by (namespace) (bunri_queue_workers{queue="${queue}"}) == 0`;
const hasJobs = (queue: string) =>
  `sum by (namespace) (bunri_queue_jobs{queue="${queue}",state=~"waiting|active|delayed"}) > 0`;

/** What clients are told, or told later, beside the pipeline. */
export const webhookAndBatchAlerts: AlertGroup = {
  name: 'webhooks-and-batches',
  alerts: [
    {
      name: 'BunriWebhooksLate',
      severity: 'warning',
      expr: `max by (namespace) (bunri_webhook_outbox_oldest_seconds) > ${webhookSeconds}`,
      for: '5m',
      summary: 'Clients are not told by webhook that their requests have ended.',
      description: 'For five minutes the oldest event in the outbox has waited for more than two to be queued.',
      example: {
        series: { 'bunri_webhook_outbox_oldest_seconds{namespace="workers",app="scheduler"}': '120x4 121x10' },
        silentAt: '9m',
        firesAt: '10m',
        labels,
      },
    },
    {
      name: 'BunriWebhookDeliveriesLate',
      severity: 'warning',
      expr: `max by (namespace) (bunri_queue_oldest_seconds{queue="${webhookQueue}"}) > ${webhookSeconds}`,
      for: '5m',
      summary: 'Clients are told by webhook later than they should be: deliveries wait for somebody to make them.',
      description: `For five minutes the oldest delivery that is due has waited for more than ${webhookSeconds} s. One that waits for its next attempt does not count.`,
      example: {
        series: { 'bunri_queue_oldest_seconds{namespace="workers",queue="webhooks"}': '120x4 121x10' },
        silentAt: '9m',
        firesAt: '10m',
        labels,
      },
    },
    {
      name: 'BunriNoWebhookWorker',
      severity: 'critical',
      expr: `${hasNoWorker(webhookQueue)} and on (namespace) (${hasJobs(webhookQueue)} or max by (namespace) (bunri_webhook_outbox_events) > 0)`,
      for: '5m',
      summary: 'No client is told anything by webhook: no process delivers.',
      description: 'For five minutes events have waited to be told, and no process has worked on their queue.',
      example: {
        series: {
          'bunri_queue_workers{namespace="workers",queue="webhooks"}': '0x30',
          // Retries that are due tomorrow.
          'bunri_queue_jobs{namespace="workers",queue="webhooks",state="delayed"}': '0x4 2x20',
          'bunri_webhook_outbox_events{namespace="workers"}': '0x30',
        },
        silentAt: '9m',
        firesAt: '10m',
        labels,
      },
      otherExamples: [
        {
          // What empties the outbox is gone with those who deliver.
          series: {
            'bunri_queue_workers{namespace="workers",queue="webhooks"}': '2x4 0x30',
            'bunri_queue_jobs{namespace="workers",queue="webhooks",state="delayed"}': '0x30',
            'bunri_webhook_outbox_events{namespace="workers"}': '1x30',
          },
          silentAt: '9m',
          firesAt: '10m',
          labels,
        },
      ],
    },
    {
      name: 'BunriBatchOverdue',
      severity: 'warning',
      expr: `max by (namespace) (bunri_batch_oldest_seconds) > ${batchOpenSeconds}`,
      for: '10m',
      summary: 'A batch has not ended although its time is over.',
      description: `A batch has been open for more than ${batchOpenSeconds / 3600} hours since it was created or resumed: 24 hours are the longest that a client may give it.`,
      example: {
        interval: '10m',
        series: { 'bunri_batch_oldest_seconds{namespace="workers",app="api"}': '0+600x180' },
        silentAt: '26h',
        firesAt: '27h',
        labels,
      },
    },
    {
      name: 'BunriBatchesStandStill',
      severity: 'warning',
      expr: `${hasNoWorker(batchQueue)} and on (namespace) ${hasJobs(batchQueue)} or max by (namespace) (bunri_queue_oldest_seconds{queue="${batchQueue}"}) > 300`,
      for: '5m',
      summary: 'Batches do not go on: no process looks at them.',
      description:
        'Open batches are looked at every few seconds. For five minutes no process has worked on their queue, or a look that was due has not begun for five.',
      example: {
        series: {
          'bunri_queue_workers{namespace="workers",queue="batches"}': '2x4 0x30',
          'bunri_queue_jobs{namespace="workers",queue="batches",state="delayed"}': '3x30',
          'bunri_queue_oldest_seconds{namespace="workers",queue="batches"}': '0x30',
        },
        silentAt: '9m',
        firesAt: '10m',
        labels,
      },
      otherExamples: [
        {
          series: {
            'bunri_queue_workers{namespace="workers",queue="batches"}': '2x30',
            'bunri_queue_oldest_seconds{namespace="workers",queue="batches"}': '300x4 301x30',
          },
          silentAt: '9m',
          firesAt: '10m',
          labels,
        },
      ],
    },
  ],
};
