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
    width: 4,
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
    description: 'What models have cost for them since midnight in Seoul.',
    unit: 'currencyUSD',
    targets: [['max by (owner) (bunri_owner_spending_today_usd)', '{{owner}}']],
    width: 12,
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
    limits: { warn: 30, bad: 120 },
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
    { title: 'Webhooks', panels: webhooks },
    { title: 'What is kept', panels: kept },
  ],
};
