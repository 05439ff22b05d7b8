import type { DashboardPlan, Panel } from '../panel.ts';

export const circuitBreaker: Panel = {
  kind: 'lines',
  title: 'Circuit breaker',
  description: 'The worst that any process knows: 0 closed, 1 half-open, 2 open. An open one calls no model.',
  unit: 'short',
  max: 2,
  targets: [['max by (model) (bunri_breaker_state)', '{{model}}']],
  limits: { warn: 1, bad: 2 },
};

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
    targets: [0.5, 0.95].map((q) => [
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
  circuitBreaker,
  {
    kind: 'lines',
    title: 'Openings of the breaker',
    description: 'How often it has opened, by the failure that opened it. Empty: it has not.',
    unit: 'short',
    targets: [
      ['sum by (model, code) (increase(bunri_breaker_openings_total[$__rate_interval])) > 0', '{{model}} {{code}}'],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Answers by a fallback',
    description: 'A second, by stage and by why the first choice did not answer. Empty: there was none.',
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
    description:
      'Since midnight in Seoul. A call counts as what it may cost at most until it has ended, so that the line falls a little when calls end. No line of a cap: there is none.',
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
    title: 'Left of the budget, requests',
    description: "What the provider's limits of a minute leave; below 0 is promised to calls that wait.",
    unit: 'short',
    targets: [['min by (model) (bunri_model_budget_level{unit="requests"})', '{{model}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Left of the budget, tokens',
    description: "What the provider's limits of a minute leave; below 0 is promised to calls that wait.",
    unit: 'short',
    targets: [['min by (model) (bunri_model_budget_level{unit="tokens"})', '{{model}}']],
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
    title: 'Trouble with what is shared',
    description:
      'Breakers and budgets that Redis did not keep, and results that it did not take for reuse. They are used as if there were none. Empty: no trouble.',
    unit: 'short',
    targets: [
      ['sum by (model) (increase(bunri_breaker_trouble_total[$__rate_interval]))', 'breaker: {{model}}'],
      ['sum by (what) (increase(bunri_model_budget_losses_total[$__rate_interval]))', 'budget: {{what}}'],
      ['sum by (cache) (increase(bunri_cache_refusals_total[$__rate_interval]))', 'cache: {{cache}}'],
    ],
    mayBeEmpty: true,
  },
];

const guidance: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Answers that failed a check',
    description: 'By what was wrong; and steps that were left out since they cited no rule of the context.',
    unit: 'ops',
    targets: [
      ['sum by (problem) (rate(bunri_guidance_problems_total[$__rate_interval]))', '{{problem}}'],
      ['sum(rate(bunri_guidance_steps_dropped_total[$__rate_interval]))', 'steps left out'],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Look-up of the rules, p95',
    description: 'By how they were found: the id of an item, a search by words, the category alone.',
    unit: 's',
    targets: [
      ['histogram_quantile(0.95, sum by (by, le) (rate(bunri_retrieval_seconds_bucket[$__rate_interval])))', '{{by}}'],
    ],
  },
];

const localModels: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Local models, memory',
    description: 'What those hold that are loaded, all processes together.',
    unit: 'bytes',
    targets: [['sum by (model) (bunri_local_model_bytes)', '{{model}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Local models, p95 of a batch and of a load',
    description: 'Time of one batch, and of a load from the start of its process on; failed ones included.',
    unit: 's',
    targets: [
      [
        'histogram_quantile(0.95, sum by (model, le) (rate(bunri_local_inference_seconds_bucket[$__rate_interval])))',
        '{{model}} batch',
      ],
      [
        'histogram_quantile(0.95, sum by (model, le) (rate(bunri_local_model_load_seconds_bucket[$__rate_interval])))',
        '{{model}} load',
      ],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Local models, loaded',
    description: 'Processes that have the model loaded.',
    unit: 'short',
    targets: [['sum by (model) (bunri_local_models_loaded)', '{{model}}']],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Local models, loads, unloads, deaths',
    description: 'How often they were loaded, were unloaded and why, and died. Empty: nothing of it.',
    unit: 'short',
    targets: [
      ['sum by (model) (increase(bunri_local_model_load_seconds_count[$__rate_interval])) > 0', '{{model}} loaded'],
      [
        'sum by (model, why) (increase(bunri_local_model_unloads_total[$__rate_interval])) > 0',
        '{{model}} unloaded: {{why}}',
      ],
      [
        'sum by (model, reason) (increase(bunri_local_model_deaths_total[$__rate_interval])) > 0',
        '{{model}} died: {{reason}}',
      ],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Local models, size of a batch',
    description: 'Tasks that went through the model together, mean.',
    unit: 'short',
    targets: [
      [
        'sum by (model) (rate(bunri_local_batch_size_sum[$__rate_interval])) / sum by (model) (rate(bunri_local_batch_size_count[$__rate_interval]))',
        '{{model}}',
      ],
    ],
    mayBeEmpty: true,
  },
  {
    kind: 'lines',
    title: 'Memory of GPUs',
    description: 'As nvidia-smi tells it; empty where there is none.',
    unit: 'bytes',
    targets: [['max by (gpu, kind) (bunri_gpu_memory_bytes)', '{{gpu}} {{kind}}']],
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
    { title: 'Limits and caches', panels: limits },
    { title: 'Tokens and money', panels: money },
    { title: 'Answers', panels: guidance },
    { title: 'Local models', panels: localModels },
  ],
};
