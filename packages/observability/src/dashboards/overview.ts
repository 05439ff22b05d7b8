import { stageNames, stages } from '@bunri/queue-contracts';
import { objectives } from '../objectives.ts';
import type { DashboardPlan, Panel } from '../panel.ts';
import { circuitBreaker } from './model-api.ts';
import { memoryOfRedis } from './redis-and-processes.ts';

const answered = 'outcome=~"completed|cached|reopened"';
const countable = 'outcome!~"canceled|rejected"';
/** Webhooks, batches and the scheduler have queues of their own, whose jobs are no requests. */
const ofStages = `queue=~"${stageNames.map((stage) => stages[stage].queue).join('|')}"`;

const figures: readonly Panel[] = [
  {
    kind: 'figure',
    title: 'Answered share',
    description: `Of the requests that ended and were neither canceled nor the client's fault. Promised: ${objectives.answered * 100} %.`,
    unit: 'percentunit',
    targets: [
      [
        `sum(rate(bunri_request_duration_seconds_count{${answered}}[$__rate_interval])) / (sum(rate(bunri_request_duration_seconds_count{${countable}}[$__rate_interval])) > 0)`,
        '',
      ],
    ],
    limits: { warn: objectives.answered, bad: 0.97, whenBelow: true },
    mayBeEmpty: true,
  },
  {
    kind: 'figure',
    title: 'Interactive, p95',
    description: `Time from acceptance to answer of interactive requests. Promised for ${objectives.inTime.share * 100} %: ${objectives.inTime.seconds} s.`,
    unit: 's',
    targets: [
      [
        `histogram_quantile(0.95, sum by (le) (rate(bunri_request_duration_seconds_bucket{class="interactive",${answered}}[$__rate_interval])))`,
        '',
      ],
    ],
    limits: { warn: 20, bad: objectives.inTime.seconds },
  },
  {
    kind: 'figure',
    title: 'Oldest interactive job',
    description: 'How long the job has waited that has waited longest.',
    unit: 's',
    targets: [['max(bunri_queue_class_oldest_seconds{class="interactive"})', '']],
    limits: { warn: 10, bad: objectives.oldestSeconds.interactive },
  },
  {
    kind: 'figure',
    title: 'Open requests',
    description: 'Accepted and not ended.',
    unit: 'short',
    targets: [['sum(bunri_open_requests{app="scheduler"})', '']],
  },
  {
    kind: 'figure',
    title: 'Dead letters',
    description: "Requests that failed on our side or the provider's, kept to be retried.",
    unit: 'short',
    targets: [['sum(bunri_dead_letters{app="scheduler"})', '']],
    limits: { warn: 1, bad: 100 },
  },
  {
    kind: 'figure',
    title: 'Models today',
    description:
      'What models have cost since midnight in Seoul. A call counts as what it may cost at most until it has ended.',
    unit: 'currencyUSD',
    targets: [['sum(bunri_spending_today_usd)', '']],
  },
];

const flow: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Arrival against completion',
    description: 'Requests a second. When the first stays above the second, the queues grow.',
    unit: 'reqps',
    targets: [
      ['sum by (cached) (rate(bunri_requests_accepted_total[$__rate_interval]))', 'accepted, cached {{cached}}'],
      ['sum by (outcome) (rate(bunri_request_duration_seconds_count[$__rate_interval])) > 0', '{{outcome}}'],
      ['sum by (reason) (rate(bunri_requests_refused_total[$__rate_interval]))', 'refused: {{reason}}'],
    ],
  },
  {
    kind: 'lines',
    title: 'Whole time by class',
    description: 'From acceptance to answer, of the answered requests. The line is the promise for interactive ones.',
    unit: 's',
    targets: ([0.5, 0.95] as const).map((share) => [
      `histogram_quantile(${share}, sum by (class, le) (rate(bunri_request_duration_seconds_bucket{${answered}}[$__rate_interval])))`,
      `{{class}} p${share * 100}`,
    ]),
    limits: { bad: objectives.inTime.seconds },
  },
  {
    kind: 'stacked',
    title: 'Failed requests by code',
    description:
      "Requests that ended with an error. Codes of images are the client's; the rest is ours or the provider's.",
    unit: 'reqps',
    targets: [['sum by (code) (rate(bunri_requests_failed_total[$__rate_interval])) > 0', '{{code}}']],
  },
];

const queues: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Age of the oldest job',
    description:
      'By queue and class: what a new request has before it, if nothing gets faster. The line is the promise for interactive ones.',
    unit: 's',
    targets: [['max by (queue, class) (bunri_queue_class_oldest_seconds)', '{{queue}} {{class}}']],
    limits: { bad: objectives.oldestSeconds.interactive },
  },
  {
    kind: 'stacked',
    title: 'Jobs that could be taken now',
    description: 'By queue and class. A job that waits for an earlier stage is not among them.',
    unit: 'short',
    targets: [['sum by (queue, class) (bunri_queue_class_jobs)', '{{queue}} {{class}}']],
  },
  {
    kind: 'lines',
    title: 'Workers',
    description: 'Connections that take jobs of a queue. A queue with none stands still.',
    unit: 'short',
    targets: [['max by (queue) (bunri_queue_workers)', '{{queue}}']],
  },
  {
    kind: 'lines',
    title: 'Queues that stand still',
    description: 'Paused by an operator (1), or for so many seconds stopped by a rate limit. Empty: none does.',
    unit: 'short',
    targets: [
      ['max by (queue) (bunri_queue_paused) > 0', '{{queue}} paused'],
      ['max by (queue) (bunri_queue_rate_limit_seconds) > 0', '{{queue}} rate limit, s'],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'stacked',
    title: 'Jobs by state',
    description:
      'All stages together. Failed ones are kept for inspection only; waiting-children wait for an earlier stage.',
    unit: 'short',
    targets: [[`sum by (state) (bunri_queue_jobs{${ofStages}})`, '{{state}}']],
  },
  {
    kind: 'lines',
    title: 'Delayed and overdue',
    description: 'Delayed jobs whose time has come and that are still delayed. Anything but 0 for longer is wrong.',
    unit: 'short',
    targets: [['max by (queue) (bunri_queue_overdue_delayed)', '{{queue}}']],
    limits: { bad: 1 },
  },
];

const trouble: readonly Panel[] = [
  circuitBreaker,
  {
    kind: 'lines',
    title: 'Retries and lost workers',
    description:
      'Runs that will be repeated, and jobs that were taken from workers that gave no sign of life; a minute.',
    unit: 'cpm',
    targets: [
      ['sum by (stage) (rate(bunri_stage_runs_total{outcome="retry"}[$__rate_interval])) * 60', '{{stage}} retry'],
      ['sum by (stage) (rate(bunri_stalled_jobs_total[$__rate_interval])) * 60', '{{stage}} stalled'],
    ],
  },
  {
    kind: 'lines',
    title: 'HTTP answers by status',
    description: 'Of the api, a second.',
    unit: 'reqps',
    targets: [['sum by (status) (rate(bunri_http_request_duration_seconds_count[$__rate_interval]))', '{{status}}']],
  },
  memoryOfRedis,
  {
    kind: 'lines',
    title: 'Object storage, failures',
    description: 'Calls that failed, a second. An absent object is no failure. Empty: none has failed.',
    unit: 'reqps',
    targets: [
      [
        'sum by (operation) (rate(bunri_storage_call_seconds_count{outcome="failed"}[$__rate_interval]))',
        '{{operation}}',
      ],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Object storage, p95',
    description: 'Time of a call by what it did.',
    unit: 's',
    targets: [
      [
        'histogram_quantile(0.95, sum by (operation, le) (rate(bunri_storage_call_seconds_bucket[$__rate_interval])))',
        '{{operation}}',
      ],
    ],
  },
  {
    kind: 'lines',
    title: 'What the sweeper found',
    description:
      'Requests that it closed at their deadline, or whose lost jobs it brought back. A repair is a bug or a crash.',
    unit: 'short',
    targets: [['sum by (found) (increase(bunri_swept_total[$__rate_interval]))', '{{found}}']],
  },
  {
    kind: 'lines',
    title: 'Time since a scheduled task succeeded',
    description: 'The sweep is due each minute, the clean-ups each hour, the statistics and the images each night.',
    unit: 's',
    targets: [['time() - max by (task) (bunri_schedule_last_success_timestamp_seconds)', '{{task}}']],
  },
  {
    kind: 'lines',
    title: 'Runs of scheduled tasks',
    description: 'A run that failed is tried twice more; what it should have done is made up for at its next time.',
    unit: 'short',
    targets: [
      ['sum by (task, outcome) (increase(bunri_schedule_runs_total[$__rate_interval])) > 0', '{{task}} {{outcome}}'],
    ],
  },
];

/** The first to look at: does it work, how fast, and if not, where does it stand. */
export const overview: DashboardPlan = {
  uid: 'bunri-overview',
  title: 'Overview',
  description: 'Does it work, how fast, and where does it stand.',
  rows: [
    { title: 'Now', panels: figures },
    { title: 'Requests', panels: flow },
    { title: 'Queues', panels: queues },
    { title: 'Trouble', panels: trouble },
  ],
};
