import { grew, type AlertGroup } from '../alert.ts';

const labels = { namespace: 'workers' };
const stamp = 'bunri_schedule_last_success_timestamp_seconds';
const lastSuccess = (tasks: string) => `time() - max by (namespace, task) (${stamp}{task=~"${tasks}"})`;
/** Of a task that has never succeeded there is no time: it fails, and that is all that is known. */
const neverDone = `sum by (namespace, task) (increase(bunri_schedule_runs_total{outcome="failed"}[26h])) > 0 unless on (namespace, task) ${stamp}`;
const scheduler = 'bunri_open_requests{app="scheduler"}';

/** The processes themselves, and above all the one that there is only once. */
export const processAlerts: AlertGroup = {
  name: 'processes',
  alerts: [
    {
      name: 'BunriNotScraped',
      severity: 'critical',
      expr: 'absent(bunri_redis_up{app="api"})',
      for: '5m',
      summary: 'Nothing is known of bunri: no api is scraped.',
      description:
        'Prometheus has no metrics of any api process. Either none runs, or none can be reached; no other alert can fire.',
      example: {
        series: { 'bunri_redis_up{namespace="workers",app="api"}': '1x4 stale' },
        silentAt: '9m',
        firesAt: '10m',
        labels: { app: 'api' },
      },
    },
    {
      name: 'BunriSchedulerSilent',
      severity: 'critical',
      expr: `(time() - max by (namespace) (${stamp}{task="sweep"})) > 300 or group by (namespace) (bunri_redis_up{app="api"}) unless on (namespace) ${stamp}{task="sweep"}`,
      for: '2m',
      summary: 'Deadlines are not kept: the scheduler is gone, or its sweep does not succeed.',
      description:
        'The sweep, which is due each minute, has not succeeded for five; or no scheduler that has ever swept is scraped although an api is.',
      example: {
        series: {
          'bunri_redis_up{namespace="workers",app="api"}': '1x40',
          'bunri_open_requests{namespace="workers",app="scheduler"}': '0x40',
          // A clock that is right, then none.
          'bunri_schedule_last_success_timestamp_seconds{namespace="workers",task="sweep"}': '0+60x4 stale',
        },
        silentAt: '6m',
        firesAt: '7m',
        labels,
      },
      otherExamples: [
        {
          // It has never succeeded.
          series: {
            'bunri_redis_up{namespace="workers",app="api"}': '_x4 1x40',
            'bunri_open_requests{namespace="workers",app="scheduler"}': '_x4 0x40',
          },
          silentAt: '5m',
          firesAt: '6m',
          labels,
        },
        {
          // The clock of a test starts at 0.
          series: {
            'bunri_redis_up{namespace="workers",app="api"}': '1x40',
            'bunri_open_requests{namespace="workers",app="scheduler"}': '0x40',
            'bunri_schedule_last_success_timestamp_seconds{namespace="workers",task="sweep"}': '60x40',
          },
          silentAt: '8m',
          firesAt: '9m',
          labels,
        },
      ],
    },
    {
      name: 'BunriTwoSchedulers',
      severity: 'warning',
      expr: `count by (namespace) (${scheduler}) > 1`,
      for: '5m',
      summary: 'Two schedulers run for one installation.',
      description:
        'Each task still runs once, but what the scheduler measures is counted twice, and the older release may undo what the newer does.',
      example: {
        series: {
          'bunri_open_requests{namespace="workers",app="scheduler",pod="a"}': '0x40',
          'bunri_open_requests{namespace="workers",app="scheduler",pod="b"}': '_x4 0x40',
        },
        silentAt: '8m',
        firesAt: '9m',
        labels,
      },
    },
    {
      name: 'BunriScheduledTaskLate',
      severity: 'warning',
      expr: `${lastSuccess('delete_old_images|daily_statistics')} > 26 * 3600 or ${lastSuccess('clean_caches|cleanup_models')} > 3 * 3600 or ${lastSuccess('archive_finished')} > 600 or ${neverDone}`,
      for: '5m',
      summary: 'The scheduled task {{ $labels.task }} has not succeeded when it was due.',
      description:
        'What it deletes stays, or the statistics of a day are missing: 26 hours for what is due each night, three for each hour, ten minutes for the packing of ended requests; or it has failed and never succeeded.',
      example: {
        interval: '5m',
        // The clock of a test starts at 0.
        series: {
          'bunri_schedule_last_success_timestamp_seconds{namespace="workers",task="clean_caches"}': '3600x60',
        },
        silentAt: '240m',
        firesAt: '250m',
        labels: { ...labels, task: 'clean_caches' },
      },
      otherExamples: [
        {
          interval: '1h',
          series: {
            'bunri_schedule_last_success_timestamp_seconds{namespace="workers",task="daily_statistics"}': '3600x40',
          },
          silentAt: '28h',
          firesAt: '29h',
          labels: { ...labels, task: 'daily_statistics' },
        },
        {
          series: {
            'bunri_schedule_last_success_timestamp_seconds{namespace="workers",task="archive_finished"}': '60x40',
          },
          silentAt: '15m',
          firesAt: '17m',
          labels: { ...labels, task: 'archive_finished' },
        },
        {
          series: {
            'bunri_schedule_runs_total{namespace="workers",task="delete_old_images",outcome="failed"}': '0x10 3x30',
          },
          silentAt: '15m',
          firesAt: '17m',
          labels: { ...labels, task: 'delete_old_images' },
        },
      ],
    },
    {
      name: 'BunriTracesDropped',
      severity: 'warning',
      expr: grew('bunri_traces_dropped_total', '15m', 'namespace, app, reason'),
      for: '30m',
      summary: 'Traces of {{ $labels.app }} are incomplete: spans are thrown away ({{ $labels.reason }}).',
      description:
        'For half an hour spans have not reached the collector. Requests are not affected; whoever looks at a trace misses parts of it.',
      example: {
        series: { 'bunri_traces_dropped_total{namespace="workers",app="api",reason="not_sent"}': '_x4 0+30x60' },
        silentAt: '33m',
        firesAt: '36m',
        labels: { ...labels, app: 'api', reason: 'not_sent' },
      },
    },
    {
      name: 'BunriEventLoopBlocked',
      severity: 'warning',
      expr: 'max by (namespace, app) (nodejs_eventloop_lag_p99_seconds{app=~"api|scheduler|.+-worker"}) > 1',
      for: '5m',
      summary: 'Processes of {{ $labels.app }} do not answer for seconds at a time.',
      description:
        'The event loop of at least one of them is late by more than a second: its locks and its probes are in danger.',
      example: {
        series: { 'nodejs_eventloop_lag_p99_seconds{namespace="workers",app="preprocess-worker"}': '0.02x4 1.5x10' },
        silentAt: '9m',
        firesAt: '10m',
        labels: { ...labels, app: 'preprocess-worker' },
      },
    },
  ],
};
