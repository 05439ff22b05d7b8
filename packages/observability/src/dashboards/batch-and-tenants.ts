import { batchQueue, webhookQueue } from '@bunri/queue-contracts';
import { objectives } from '../objectives.ts';
import type { DashboardPlan, Panel } from '../panel.ts';

const classes: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Ended by class',
    description: 'Requests a second.',
    unit: 'reqps',
    targets: [['sum by (class) (rate(bunri_request_duration_seconds_count[$__rate_interval]))', '{{class}}']],
  },
  {
    kind: 'lines',
    title: 'Waiting by class',
    description: 'Jobs that could be taken now. Interactive ones go first; batch fills what they leave.',
    unit: 'short',
    targets: [['sum by (class) (bunri_queue_class_jobs)', '{{class}}']],
  },
  {
    kind: 'lines',
    title: 'Oldest batch job',
    description: 'By queue.',
    unit: 's',
    targets: [['max by (queue) (bunri_queue_class_oldest_seconds{class="batch"})', '{{queue}}']],
    limits: { bad: objectives.oldestSeconds.batch },
  },
];

const owners: readonly Panel[] = [
  {
    kind: 'figure',
    title: 'Owners today',
    description: 'For whom models were paid since midnight in Seoul.',
    unit: 'short',
    targets: [['max(bunri_owners_today)', '']],
  },
  {
    kind: 'figure',
    title: 'Share of the dearest owner',
    description: "Of the day's spending. Near 1, one client is the load.",
    unit: 'percentunit',
    targets: [['max(bunri_owner_spending_today_usd) / (sum(bunri_spending_today_usd) > 0)', '']],
    mayBeEmpty: true,
  },
  {
    kind: 'figure',
    title: "An owner's cap",
    description: 'What models may cost a day for one owner; empty without a cap.',
    unit: 'currencyUSD',
    targets: [['max(bunri_spending_cap_usd{cap="owner"})', '']],
    mayBeEmpty: true,
  },
  {
    kind: 'bars',
    title: 'The ten dearest owners of the day',
    description:
      'What models have cost for them since midnight in Seoul, as of now. A call counts as what it may cost at most until it has ended.',
    unit: 'currencyUSD',
    targets: [['sort_desc(topk(10, max by (owner) (bunri_owner_spending_today_usd)))', '{{owner}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Refused',
    description:
      'A second: requests that were not accepted, and model calls that were not made since a spending cap was reached. Empty: none.',
    unit: 'ops',
    targets: [
      ['sum by (reason) (rate(bunri_requests_refused_total[$__rate_interval])) > 0', 'request: {{reason}}'],
      ['sum by (cap) (rate(bunri_spending_refusals_total[$__rate_interval])) > 0', 'call: cap of the {{cap}}'],
    ],
    mayBeEmpty: true,
  },
];

const kept: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Packed and deleted',
    description: 'What the clean-ups of the scheduler did, a minute.',
    unit: 'cpm',
    targets: [
      ['sum(rate(bunri_archived_requests_total[$__rate_interval])) * 60', 'packed'],
      ['sum by (kind) (rate(bunri_deleted_objects_total[$__rate_interval])) * 60', 'deleted: {{kind}}'],
    ],
  },
  {
    kind: 'lines',
    title: 'Dead letters',
    description: 'Kept to be retried, and how many have ended so by code.',
    unit: 'short',
    targets: [
      ['sum(bunri_dead_letters{app="scheduler"})', 'kept'],
      ['sum by (code) (increase(bunri_requests_failed_total[$__rate_interval])) > 0', 'new: {{code}}'],
    ],
  },
  {
    kind: 'lines',
    title: 'Ended and not counted',
    description: 'Requests whose records could not be read any more: they are missing in every figure of ended ones.',
    unit: 'short',
    targets: [['sum(increase(bunri_requests_uncounted_total[$__rate_interval]))', 'not counted']],
    mayBeEmpty: true,
  },
];

const webhooks: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'Webhook attempts by outcome',
    description: 'Attempts to tell a receiver, a second. Retried ones are repeated; exhausted ones are given up.',
    unit: 'ops',
    targets: [['sum by (outcome) (rate(bunri_webhook_deliveries_total[$__rate_interval]))', '{{outcome}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Time of a webhook attempt, p95',
    description: "The receiver's answer included.",
    unit: 's',
    targets: [
      ['histogram_quantile(0.95, sum by (le) (rate(bunri_webhook_attempt_seconds_bucket[$__rate_interval])))', 'p95'],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Oldest event that is not queued',
    description: 'How long the oldest event for a webhook has waited in the outbox.',
    unit: 's',
    targets: [['max(bunri_webhook_outbox_oldest_seconds)', 'oldest']],
    limits: { warn: 30, bad: objectives.webhookSeconds },
  },
  {
    kind: 'lines',
    title: 'Deliveries by state',
    description: 'Events to be told. Delayed ones wait for their next attempt, up to a day; outbox: not queued yet.',
    unit: 'short',
    targets: [
      [`max by (state) (bunri_queue_jobs{queue="${webhookQueue}",state=~"waiting|active|delayed"})`, '{{state}}'],
      ['max(bunri_webhook_outbox_events)', 'outbox'],
    ],
  },
  {
    kind: 'lines',
    title: 'Oldest delivery that is due',
    description: 'How long it has waited for somebody to make it.',
    unit: 's',
    targets: [[`max(bunri_queue_oldest_seconds{queue="${webhookQueue}"})`, 'oldest']],
    limits: { warn: 30, bad: objectives.webhookSeconds },
  },
  {
    kind: 'lines',
    title: 'Who delivers',
    description: 'Processes that work on the queue. With none, nobody is told anything.',
    unit: 'short',
    targets: [[`max(bunri_queue_workers{queue="${webhookQueue}"})`, 'processes']],
  },
];

const batches: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'Rows ended',
    description: 'Rows of batches a minute, by how they ended. A row that runs again counts again.',
    unit: 'cpm',
    targets: [['sum by (outcome) (rate(bunri_batch_rows_total[$__rate_interval])) * 60', '{{outcome}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Oldest open batch',
    description: 'Since it was created or resumed. Clients may give a batch a day; past 26 hours something is wrong.',
    unit: 's',
    targets: [['max(bunri_batch_oldest_seconds)', 'oldest']],
    limits: { warn: 24 * 3600, bad: objectives.batchOpenSeconds },
  },
  {
    kind: 'lines',
    title: 'Open batches',
    description: 'Batches that have anything to do.',
    unit: 'short',
    targets: [['max(bunri_batches_open)', 'open']],
  },
  {
    kind: 'lines',
    title: 'Looks at batches',
    description: 'One job for each open batch. It is delayed between two looks, for seconds.',
    unit: 'short',
    targets: [
      [`max by (state) (bunri_queue_jobs{queue="${batchQueue}",state=~"waiting|active|delayed"})`, '{{state}}'],
      [`max(bunri_queue_workers{queue="${batchQueue}"})`, 'processes'],
    ],
  },
  {
    kind: 'lines',
    title: 'Oldest look that is due',
    description: 'How long a batch has waited to be looked at again.',
    unit: 's',
    targets: [[`max(bunri_queue_oldest_seconds{queue="${batchQueue}"})`, 'oldest']],
    limits: { warn: 60, bad: 300 },
  },
];

/** Who uses it, for what, and what that costs. */
export const batchAndTenants: DashboardPlan = {
  uid: 'bunri-batch-and-tenants',
  title: 'Batch and tenants',
  description: 'Who uses it, for what, and what that costs.',
  rows: [
    { title: 'Classes', panels: classes },
    { title: 'Owners', panels: owners },
    { title: 'Batches', panels: batches },
    { title: 'Webhooks', panels: webhooks },
    { title: 'What is kept', panels: kept },
  ],
};
