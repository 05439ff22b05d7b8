import { grew, type Alert, type AlertGroup } from '../alert.ts';

const calls = 'bunri_model_calls_total';
const cap = 'max by (namespace) (bunri_spending_cap_usd{cap="day"})';
const dayRate = (window: string) => `sum by (namespace) (rate(bunri_model_cost_usd_total[${window}])) * 86400`;
const faster = (factor: number, long: string, short: string) =>
  [long, short].map((window) => `${dayRate(window)} > ${factor} * ${cap}`).join(' and ');

const capOf10 = { 'bunri_spending_cap_usd{namespace="workers",cap="day"}': '10x800' };
const cost = 'bunri_model_cost_usd_total{namespace="workers",model="gpt-5"}';
const ofModel = { namespace: 'workers', model: 'gpt-5' };

const money: readonly Alert[] = [
  {
    name: 'BunriSpendingFast',
    severity: 'critical',
    expr: faster(6, '1h', '5m'),
    for: '2m',
    summary: 'The models cost so much that the cap of the day is reached within four hours.',
    description:
      'In the last hour and in the last five minutes they cost more than six times what the cap allows in that time.',
    example: {
      // 0.05 a minute is 72 a day, against a cap of 10.
      series: { ...capOf10, [cost]: '0+0.001x60 0.06+0.05x100' },
      silentAt: '100m',
      firesAt: '116m',
      labels: { namespace: 'workers' },
    },
  },
  {
    name: 'BunriSpendingAboveCap',
    severity: 'warning',
    expr: faster(2, '6h', '30m'),
    for: '15m',
    summary: 'The models have cost twice what the cap allows, for hours: it will be reached before noon.',
    description:
      'In the last six hours and in the last half they cost more than twice what the cap allows in that time.',
    example: {
      // 0.02 a minute is 28.8 a day.
      series: { ...capOf10, [cost]: '0+0.001x360 0.36+0.02x400' },
      silentAt: '600m',
      firesAt: '640m',
      labels: { namespace: 'workers' },
    },
  },
  {
    name: 'BunriSpendingCapNear',
    severity: 'warning',
    expr: `max by (namespace) (bunri_spending_today_usd) / ${cap} > 0.9`,
    for: '1m',
    summary: 'The spending cap of the day is nearly reached; then no model is asked until midnight in Seoul.',
    description: 'More than nine tenths of what models may cost today are spent.',
    example: {
      series: { ...capOf10, 'bunri_spending_today_usd{namespace="workers"}': '9x4 9.1x10' },
      silentAt: '5m',
      firesAt: '6m',
      labels: { namespace: 'workers' },
    },
  },
];

/** The models and their providers. */
export const modelAlerts: AlertGroup = {
  name: 'models',
  alerts: [
    {
      name: 'BunriBreakerOpen',
      severity: 'critical',
      expr: 'max by (namespace, model) (max_over_time(bunri_breaker_state[2m])) == 2',
      for: '5m',
      summary: 'The model {{ $labels.model }} is not called: its circuit breaker opens again and again.',
      description:
        'For five minutes the breaker has been open, or has opened again within two minutes. Fallbacks answer where there are any.',
      example: {
        series: { 'bunri_breaker_state{namespace="workers",model="gpt-5"}': '0x4 2 1 2 1 2 1 2 1 2x10' },
        silentAt: '9m',
        firesAt: '10m',
        labels: ofModel,
      },
    },
    {
      name: 'BunriModelCallsFail',
      severity: 'warning',
      expr: `sum by (namespace, model) (rate(${calls}{outcome!~"ok|aborted|rate_limited"}[5m])) / sum by (namespace, model) (rate(${calls}{outcome!~"aborted|rate_limited"}[5m])) > 0.2`,
      for: '10m',
      summary: 'One in five calls of the model {{ $labels.model }} fails.',
      description:
        'For ten minutes, pauses that the provider asked for and calls that nobody wanted any more not counted.',
      example: {
        series: {
          [`${calls}{namespace="workers",model="gpt-5",outcome="ok"}`]: '0+10x60',
          [`${calls}{namespace="workers",model="gpt-5",outcome="model_unavailable"}`]: '0x10 0+10x50',
        },
        silentAt: '20m',
        firesAt: '23m',
        labels: ofModel,
      },
    },
    {
      name: 'BunriModelQuotaExhausted',
      severity: 'critical',
      expr: grew(`${calls}{outcome="model_quota_exhausted"}`, '15m', 'namespace, model'),
      for: '1m',
      summary:
        'The quota of the model {{ $labels.model }} is used up; its provider answers nothing until it is raised.',
      description:
        'Within a quarter of an hour the provider has refused a call because the account has no quota or no credit left.',
      example: {
        series: {
          [`${calls}{namespace="workers",model="gpt-5",outcome="model_quota_exhausted"}`]: '_x20 1x20',
        },
        silentAt: '20m',
        firesAt: '21m',
        labels: ofModel,
      },
    },
    {
      name: 'BunriModelKeyRejected',
      severity: 'critical',
      expr: grew(`${calls}{outcome="model_auth_failed"}`, '15m', 'namespace, model'),
      for: '1m',
      summary: 'The provider of the model {{ $labels.model }} rejects our key.',
      description: 'Within a quarter of an hour a call was refused because of its credentials.',
      example: {
        series: { [`${calls}{namespace="workers",model="gpt-5",outcome="model_auth_failed"}`]: '_x20 1x20' },
        silentAt: '20m',
        firesAt: '21m',
        labels: ofModel,
      },
    },
    {
      name: 'BunriAnswersDegraded',
      severity: 'warning',
      expr: 'sum by (namespace, stage) (rate(bunri_degraded_answers_total[15m])) / sum by (namespace, stage) (rate(bunri_stage_runs_total{outcome="completed"}[15m])) > 0.1',
      for: '15m',
      summary: 'One in ten answers of the stage {{ $labels.stage }} is made by a fallback.',
      description: 'People get an answer, of lesser quality; each says so in its field `degraded`.',
      example: {
        series: {
          'bunri_stage_runs_total{namespace="workers",stage="llm",outcome="completed"}': '0+10x90',
          'bunri_degraded_answers_total{namespace="workers",stage="llm",code="model_unavailable"}': '0x20 0+5x70',
        },
        silentAt: '36m',
        firesAt: '41m',
        labels: { namespace: 'workers', stage: 'llm' },
      },
    },
    ...money,
  ],
};
