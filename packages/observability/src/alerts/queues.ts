import { stageNames, stages } from '@bunri/queue-contracts';
import type { AlertGroup } from '../alert.ts';
import { objectives } from '../objectives.ts';

const { oldestSeconds } = objectives;
const queuesOf = (replicated: boolean) =>
  stageNames.filter((stage) => stages[stage].replicas > 0 === replicated).map((stage) => stages[stage].queue);
const usual = queuesOf(true).join('|');
const unusual = queuesOf(false).join('|');
const all = stageNames.map((stage) => stages[stage].queue).join('|');
const workers = (matcher: string) => `max by (namespace, queue) (bunri_queue_workers{${matcher}}) == 0`;
const takeable = `sum by (namespace, queue) (bunri_queue_jobs{state=~"waiting|prioritized"}) > 0`;

export const queueAlerts: AlertGroup = {
  name: 'queues',
  alerts: [
    {
      name: 'BunriInteractiveJobsTooOld',
      severity: 'critical',
      expr: `max by (namespace, queue) (bunri_queue_class_oldest_seconds{class="interactive"}) > ${oldestSeconds.interactive}`,
      for: '2m',
      summary: 'People wait: the oldest interactive job of the queue {{ $labels.queue }} is older than promised.',
      description: `For two minutes a job of the class interactive has waited for more than ${oldestSeconds.interactive} s in one queue alone.`,
      example: {
        series: {
          'bunri_queue_class_oldest_seconds{namespace="workers",queue="vision",class="interactive"}': '30x4 31x10',
        },
        silentAt: '6m',
        firesAt: '7m',
        labels: { namespace: 'workers', queue: 'vision' },
      },
    },
    {
      name: 'BunriBatchJobsTooOld',
      severity: 'warning',
      expr: `max by (namespace, queue) (bunri_queue_class_oldest_seconds{class="batch"}) > ${oldestSeconds.batch}`,
      for: '10m',
      summary: 'Batches are late: the oldest batch job of the queue {{ $labels.queue }} is older than promised.',
      description: `For ten minutes a job of the class batch has waited for more than ${oldestSeconds.batch / 60} min in one queue.`,
      example: {
        series: { 'bunri_queue_class_oldest_seconds{namespace="workers",queue="llm",class="batch"}': '3600x4 3601x20' },
        silentAt: '14m',
        firesAt: '15m',
        labels: { namespace: 'workers', queue: 'llm' },
      },
    },
    {
      name: 'BunriNoWorker',
      severity: 'critical',
      expr: `${workers(`queue=~"${usual}"`)} or ${workers(`queue=~"${unusual}"`)} and on (namespace, queue) ${takeable}`,
      for: '2m',
      summary: 'No request gets past the queue {{ $labels.queue }}: nobody takes its jobs.',
      description:
        'The queue has no worker. A queue whose stage runs only where it is asked for counts once a job waits in it.',
      example: {
        series: { 'bunri_queue_workers{namespace="workers",queue="rag"}': '2x4 0x10' },
        silentAt: '6m',
        firesAt: '7m',
        labels: { namespace: 'workers', queue: 'rag' },
      },
      otherExamples: [
        {
          series: {
            'bunri_queue_workers{namespace="workers",queue="vision.local"}': '0x20',
            'bunri_queue_jobs{namespace="workers",queue="vision.local",state="prioritized"}': '0x4 1x20',
          },
          silentAt: '6m',
          firesAt: '7m',
          labels: { namespace: 'workers', queue: 'vision.local' },
        },
      ],
    },
    {
      name: 'BunriQueuePaused',
      severity: 'warning',
      expr: 'max by (namespace, queue) (bunri_queue_paused) == 1',
      for: '10m',
      summary: 'The queue {{ $labels.queue }} has been paused for ten minutes; its requests wait.',
      description: 'An operator has paused the queue. Requests run into their deadlines until it is resumed.',
      example: {
        series: { 'bunri_queue_paused{namespace="workers",queue="llm"}': '0x4 1x20' },
        silentAt: '14m',
        firesAt: '15m',
        labels: { namespace: 'workers', queue: 'llm' },
      },
    },
    {
      name: 'BunriDelayedJobsOverdue',
      severity: 'warning',
      expr: 'max by (namespace, queue) (bunri_queue_overdue_delayed) > 0',
      for: '5m',
      summary: 'Retries of the queue {{ $labels.queue }} do not start when they are due.',
      description: 'Delayed jobs whose time has come are still delayed after five minutes: no worker moves them on.',
      example: {
        series: { 'bunri_queue_overdue_delayed{namespace="workers",queue="vision"}': '0x4 3x10' },
        silentAt: '9m',
        firesAt: '10m',
        labels: { namespace: 'workers', queue: 'vision' },
      },
    },
    {
      name: 'BunriJobsStall',
      severity: 'warning',
      expr: 'sum by (namespace, stage) (increase(bunri_stalled_jobs_total[15m])) > 3',
      for: '1m',
      summary: 'Workers of the stage {{ $labels.stage }} die or hang in the middle of their work.',
      description:
        'Within a quarter of an hour more than three jobs were taken from workers that gave no sign of life for 15 s.',
      example: {
        series: { 'bunri_stalled_jobs_total{namespace="workers",stage="preprocess"}': '0x20 0+2x20' },
        silentAt: '22m',
        firesAt: '24m',
        labels: { namespace: 'workers', stage: 'preprocess' },
      },
    },
    {
      name: 'BunriRequestsStuck',
      severity: 'warning',
      expr: `max by (namespace, queue) (bunri_queue_jobs{state="waiting-children"}) > 0 unless on (namespace) (sum by (namespace) (bunri_queue_jobs{queue=~"${all}",state=~"waiting|prioritized|active|delayed"}) > 0)`,
      for: '5m',
      summary: 'Requests wait in the queue {{ $labels.queue }} for earlier stages that have nothing to do.',
      description: 'Jobs are in the state waiting-children while no stage has a job that could bring them on.',
      example: {
        series: {
          'bunri_queue_jobs{namespace="workers",queue="llm",state="waiting-children"}': '2x30',
          'bunri_queue_jobs{namespace="workers",queue="vision",state="active"}': '1x4 0x30',
        },
        silentAt: '9m',
        firesAt: '10m',
        labels: { namespace: 'workers', queue: 'llm' },
      },
    },
    {
      name: 'BunriRequestsRepaired',
      severity: 'warning',
      expr: 'sum by (namespace, found) (increase(bunri_swept_total{found=~"without_flow|requeued"}[1h])) > 10',
      for: '1m',
      summary: 'Requests lose their jobs; the sweeper brings them back ({{ $labels.found }}), late.',
      description:
        'More than ten requests within an hour had no job any more. One or two are the price of a crash, ten are a fault.',
      example: {
        series: { 'bunri_swept_total{namespace="workers",found="requeued"}': '0x20 0+6x20' },
        silentAt: '22m',
        firesAt: '24m',
        labels: { namespace: 'workers', found: 'requeued' },
      },
    },
  ],
};
