import type { DashboardPlan, Panel } from '../panel.ts';

const calls: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'Calls by outcome',
    description:
      'A second. rate_limited is a 429; model_unavailable a 5xx or no connection; aborted ones nobody wanted any more.',
    unit: 'reqps',
    targets: [['sum by (model, outcome) (rate(bunri_model_calls_total[$__rate_interval]))', '{{model}} {{outcome}}']],
  },
  {
    kind: 'lines',
    title: 'Time of a call',
    description: 'Failed calls included.',
    unit: 's',
    targets: [0.5, 0.95, 0.99].map((q) => [
      `histogram_quantile(${q}, sum by (model, le) (rate(bunri_model_call_seconds_bucket[$__rate_interval])))`,
      `{{model}} p${q * 100}`,
    ]),
  },
  {
    kind: 'lines',
    title: 'Failed share',
    description: 'Of the calls that were made and not aborted, those that were not answered as they should be.',
    unit: 'percentunit',
    max: 1,
    targets: [
      [
        'sum by (model) (rate(bunri_model_calls_total{outcome!~"ok|aborted"}[$__rate_interval])) / sum by (model) (rate(bunri_model_calls_total{outcome!="aborted"}[$__rate_interval]))',
        '{{model}}',
      ],
    ],
    limits: { warn: 0.05, bad: 0.2 },
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Circuit breaker',
    description: 'The worst that any process knows: 0 closed, 1 half-open, 2 open. An open one calls no model.',
    unit: 'short',
    max: 2,
    targets: [['max by (model) (bunri_breaker_state)', '{{model}}']],
    limits: { warn: 1, bad: 2 },
  },
  {
    kind: 'lines',
    title: 'Openings of the breaker',
    description: 'By the failure that opened it.',
    unit: 'short',
    targets: [
      ['sum by (model, code) (increase(bunri_breaker_openings_total[$__rate_interval]))', '{{model}} {{code}}'],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Answers by a fallback',
    description: 'A second, by stage and by why the first choice did not answer.',
    unit: 'ops',
    targets: [['sum by (stage, code) (rate(bunri_degraded_answers_total[$__rate_interval]))', '{{stage}} {{code}}']],
    mayBeEmpty: true,
  },
];

const money: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Tokens a second',
    description: 'As the provider counted them; cached_input is a part of input.',
    unit: 'short',
    targets: [
      ['sum by (model, direction) (rate(bunri_model_tokens_total[$__rate_interval]))', '{{model}} {{direction}}'],
    ],
  },
  {
    kind: 'lines',
    title: 'Cost an hour',
    description: 'By the configured price table.',
    unit: 'currencyUSD',
    targets: [['sum by (model) (rate(bunri_model_cost_usd_total[$__rate_interval])) * 3600', '{{model}}']],
  },
  {
    kind: 'lines',
    title: 'Spent today against the cap',
    description: 'Since midnight in Seoul. No line of a cap: there is none.',
    unit: 'currencyUSD',
    targets: [
      ['sum(bunri_spending_today_usd)', 'spent'],
      ['max(bunri_spending_cap_usd{cap="day"})', 'cap'],
    ],
  },
];

const limits: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Left of the budget',
    description: "What the provider's limits leave, in requests and tokens; below 0 is promised to calls that wait.",
    unit: 'short',
    targets: [['min by (model, unit) (bunri_model_budget_level)', '{{model}} {{unit}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Waiting for the budget, p95',
    description: 'Time that calls waited in place for their turn; those that did not wait are not in it.',
    unit: 's',
    targets: [
      [
        'histogram_quantile(0.95, sum by (model, le) (rate(bunri_model_budget_wait_seconds_bucket[$__rate_interval])))',
        '{{model}}',
      ],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Calls put back',
    description:
      'Before they were made: the provider had asked to pause, the limit was used up, or a spending cap was reached.',
    unit: 'ops',
    targets: [
      ['sum by (model, reason) (rate(bunri_model_budget_refusals_total[$__rate_interval]))', '{{model}} {{reason}}'],
      ['sum by (cap) (rate(bunri_spending_refusals_total[$__rate_interval]))', 'cap of the {{cap}}'],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Cache hits',
    description: 'Share of the look-ups in the result caches that found something.',
    unit: 'percentunit',
    max: 1,
    targets: [
      [
        'sum by (cache) (rate(bunri_cache_lookups_total{result="hit"}[$__rate_interval])) / sum by (cache) (rate(bunri_cache_lookups_total[$__rate_interval]))',
        '{{cache}}',
      ],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Local models',
    description: 'Memory of those that are loaded, and deaths of their processes.',
    unit: 'bytes',
    targets: [['sum by (model) (bunri_local_model_bytes)', '{{model}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Local models, p95 of a batch',
    description: 'Time of one batch, failed ones included.',
    unit: 's',
    targets: [
      [
        'histogram_quantile(0.95, sum by (model, le) (rate(bunri_local_inference_seconds_bucket[$__rate_interval])))',
        '{{model}}',
      ],
      [
        'sum by (model, reason) (increase(bunri_local_model_deaths_total[$__rate_interval]))',
        '{{model}} died: {{reason}}',
      ],
    ],
    mayBeEmpty: true,
  },
];

/** The models: whether they answer, what they cost, and what bounds their use. */
export const modelApi: DashboardPlan = {
  uid: 'bunri-model-api',
  title: 'Model API',
  description: 'Whether the models answer, what they cost, and what bounds their use.',
  rows: [
    { title: 'Calls', panels: calls },
    { title: 'Tokens and money', panels: money },
    { title: 'Limits, caches and local models', panels: limits },
  ],
};
