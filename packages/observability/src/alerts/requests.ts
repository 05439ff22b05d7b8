import type { Alert, AlertGroup } from '../alert.ts';
import { objectives } from '../objectives.ts';

const ended = 'bunri_request_duration_seconds';
const { answered, inTime } = objectives;

/** Two windows, so that it fires soon and ends soon: the long one tells that it matters, the short one that it goes on. */
interface Burn {
  /** How many times faster than it may the error budget is used up. */
  readonly factor: number;
  readonly long: string;
  readonly short: string;
}

const fast: Burn = { factor: 14.4, long: '1h', short: '5m' };
const medium: Burn = { factor: 6, long: '6h', short: '30m' };
const slow: Burn = { factor: 1, long: '3d', short: '6h' };

/** One failure in a quiet night is 100 % of nothing. */
const leastFailures = 5;

/** Written out, so that the sum of two decimal fractions does not show. */
const limitOf = (share: number, { factor }: Burn) => Number((factor * (1 - share)).toFixed(6));
const percentOf = (share: number, burn: Burn) => Number((limitOf(share, burn) * 100).toFixed(4));

function failing(burn: Burn): string {
  const failures = (window: string) => `sum by (namespace) (increase(${ended}_count{outcome="failed"}[${window}]))`;
  const all = (window: string) =>
    `sum by (namespace) (increase(${ended}_count{outcome!~"canceled|rejected"}[${window}]))`;
  const over = (window: string) => `${failures(window)} / ${all(window)} > ${limitOf(answered, burn)}`;
  return `${over(burn.long)} and ${over(burn.short)} and ${failures(burn.long)} >= ${leastFailures}`;
}

function late(burn: Burn): string {
  const of = 'class="interactive",outcome=~"completed|cached"';
  const all = (window: string) => `sum by (namespace) (increase(${ended}_count{${of}}[${window}]))`;
  const inTimeOf = (window: string) =>
    `sum by (namespace) (increase(${ended}_bucket{${of},le=~"${inTime.seconds}([.]0)?"}[${window}]))`;
  const over = (window: string) => `1 - ${inTimeOf(window)} / ${all(window)} > ${limitOf(inTime.share, burn)}`;
  return `${over(burn.long)} and ${over(burn.short)} and ${all(burn.long)} - ${inTimeOf(burn.long)} >= ${leastFailures}`;
}

const failed = `${ended}_count{namespace="workers",class="interactive",outcome="failed"}`;
const completed = `${ended}_count{namespace="workers",class="interactive",outcome="completed"}`;
const quick = `${ended}_bucket{namespace="workers",class="interactive",outcome="completed",le="${inTime.seconds}"}`;
const labels = { namespace: 'workers' };

const failures: readonly Alert[] = [
  {
    name: 'BunriErrorBudgetBurnsFast',
    severity: 'critical',
    expr: failing(fast),
    for: '2m',
    summary: 'Many requests fail: at this rate the error budget of a month is gone in two days.',
    description: `More than ${percentOf(answered, fast)} % of what we could have answered has failed, in the last hour and in the last five minutes.`,
    example: {
      series: { [completed]: '0+100x200', [failed]: '0x60 0+20x200' },
      silentAt: '85m',
      firesAt: '91m',
      labels,
    },
  },
  {
    name: 'BunriErrorBudgetBurns',
    severity: 'critical',
    expr: failing(medium),
    for: '15m',
    summary: 'Some requests fail, for hours: at this rate the error budget of a month is gone in five days.',
    description: `More than ${percentOf(answered, medium)} % of what we could have answered has failed, in the last six hours and in the last half.`,
    example: {
      series: { [completed]: '0+100x700', [failed]: '0x360 0+5x400' },
      silentAt: '585m',
      firesAt: '620m',
      labels,
    },
  },
  {
    name: 'BunriErrorBudgetDrains',
    severity: 'warning',
    expr: failing(slow),
    for: '1h',
    summary: 'A few requests fail all the time: more than the error budget has.',
    description: `More than ${percentOf(answered, slow)} % of what we could have answered has failed, in the last three days and in the last six hours.`,
    example: {
      interval: '30m',
      series: { [completed]: '0+1000x300', [failed]: '0x144 0+20x100' },
      silentAt: '90h',
      firesAt: '96h',
      labels,
    },
  },
];

const latency: readonly Alert[] = [
  {
    name: 'BunriAnswersLate',
    severity: 'critical',
    expr: late(fast),
    for: '2m',
    summary: 'Most people wait longer for their answer than promised.',
    description: `More than ${percentOf(inTime.share, fast)} % of the interactive answers of the last hour and of the last five minutes took more than ${inTime.seconds} s.`,
    example: {
      series: { [completed]: '0+10x200', [quick]: '0+10x60 600+0x140' },
      silentAt: '100m',
      firesAt: '108m',
      labels,
    },
  },
  {
    name: 'BunriAnswersLateForHours',
    severity: 'warning',
    expr: late(medium),
    for: '15m',
    summary: 'For hours, many people have waited longer for their answer than promised.',
    description: `More than ${percentOf(inTime.share, medium)} % of the interactive answers of the last six hours and of the last half took more than ${inTime.seconds} s.`,
    example: {
      series: { [completed]: '0+10x700', [quick]: '0+10x360 3600+5x340' },
      silentAt: '580m',
      firesAt: '600m',
      labels,
    },
  },
];

const accepted = 'bunri_requests_accepted_total';

/** What those who send requests notice. */
export const requestAlerts: AlertGroup = {
  name: 'requests',
  alerts: [
    ...failures,
    ...latency,
    {
      name: 'BunriNothingCompletes',
      severity: 'critical',
      expr: `sum by (namespace) (increase(${accepted}{cached="false"}[10m])) > 0 and sum by (namespace) (increase(${ended}_count{outcome=~"completed|reopened"}[10m])) == 0 and max by (namespace) (bunri_open_requests{app="scheduler"}) > 0`,
      for: '5m',
      summary: 'Requests are accepted and none comes to an answer.',
      description:
        'In the last ten minutes requests that need the models have arrived, none of any age has been answered, and some are open.',
      example: {
        series: {
          [`${accepted}{namespace="workers",cached="false"}`]: '0+5x60',
          [completed]: '0+5x10 50+0x50',
          // What is refused or given up in an outage is no answer.
          [`${ended}_count{namespace="workers",class="interactive",outcome="rejected"}`]: '0+1x60',
          [`${ended}_count{namespace="workers",class="interactive",outcome="canceled"}`]: '0+2x60',
          'bunri_open_requests{namespace="workers",app="scheduler"}': '3x60',
        },
        silentAt: '24m',
        firesAt: '26m',
        labels,
      },
    },
    {
      name: 'BunriRequestsRefused',
      severity: 'warning',
      expr: 'sum by (namespace, reason) (rate(bunri_requests_refused_total[5m])) > 0.1',
      for: '5m',
      summary: 'Clients are turned away: {{ $labels.reason }}.',
      description:
        'For five minutes the api has refused more than one request in ten seconds before it took the upload.',
      example: {
        series: { 'bunri_requests_refused_total{namespace="workers",reason="overloaded"}': '0x10 0+60x20' },
        silentAt: '15m',
        firesAt: '17m',
        labels: { namespace: 'workers', reason: 'overloaded' },
      },
    },
    {
      name: 'BunriDeadLettersGrow',
      severity: 'warning',
      expr: 'max by (namespace) (delta(bunri_dead_letters{app="scheduler"}[15m])) > 5',
      for: '5m',
      summary: "Requests fail for good on our side or the provider's and wait for an operator.",
      description: 'Within a quarter of an hour the dead letters have become more than five more.',
      example: {
        series: { 'bunri_dead_letters{namespace="workers",app="scheduler"}': '0x20 0+2x30' },
        silentAt: '27m',
        firesAt: '29m',
        labels,
      },
    },
  ],
};
