import { stages, type StageName } from '@bunri/queue-contracts';
import type { DashboardPlan, Panel, Row } from '../panel.ts';

const share = (quantile: number, metric: string, labels: string, by = '') =>
  `histogram_quantile(${quantile}, sum by (${by}le) (rate(${metric}_bucket{${labels}}[$__rate_interval])))`;

function timeRow(stage: StageName, of: string): Row {
  const { timeoutMs } = stages[stage];
  return {
    title: 'Time',
    panels: [
      {
        kind: 'lines',
        title: 'Waiting',
        description:
          'From the request being ready for this stage to the stage taking it. Grows when there are too few slots.',
        unit: 's',
        targets: [0.5, 0.95, 0.99].map((q) => [share(q, 'bunri_stage_wait_seconds', of), `p${q * 100}`]),
      },
      {
        kind: 'lines',
        title: 'Running',
        description: `From taking the job to its result, work done and cache hits apart. The time-out is ${timeoutMs / 1000} s.`,
        unit: 's',
        targets: [0.5, 0.95, 0.99].map((q) => [
          share(q, 'bunri_stage_duration_seconds', of, 'cached, '),
          `p${q * 100}, cached {{cached}}`,
        ]),
        limits: { warn: timeoutMs / 2000, bad: timeoutMs / 1000 },
      },
      {
        kind: 'heatmap',
        title: 'Running, all of it',
        description: 'How the times of runs are spread: runs a second by how long they took.',
        unit: 's',
        targets: [[`sum by (le) (rate(bunri_stage_duration_seconds_bucket{${of}}[$__rate_interval]))`, '{{le}}']],
      },
    ],
  };
}

/** What a stage keeps of its work: one that asks a model shares it too, one that only looks up rules keeps nothing. */
function reusePanels(stage: StageName, of: string): readonly Panel[] {
  const { resource } = stages[stage];
  const cached: Panel = {
    kind: 'lines',
    title: 'Served from the cache',
    description: 'Share of the completed runs that did no paid or heavy work.',
    unit: 'percentunit',
    max: 1,
    targets: [
      [
        `sum(rate(bunri_stage_runs_total{${of},outcome="cached"}[$__rate_interval])) / sum(rate(bunri_stage_runs_total{${of},outcome=~"cached|completed"}[$__rate_interval]))`,
        'cached',
      ],
    ],
    mayBeEmpty: true,
  };
  const shared: Panel = {
    kind: 'lines',
    title: 'Same work at once',
    description: 'Runs that led the work of several requests, and those that waited for it.',
    unit: 'ops',
    targets: [[`sum by (role) (rate(bunri_shared_work_total{${of}}[$__rate_interval]))`, '{{role}}']],
    mayBeEmpty: true,
  };
  if (resource === 'network' || resource === 'accelerator') return [cached, shared];
  return resource === 'io' ? [cached] : [];
}

function workPanels(stage: StageName, of: string): readonly Panel[] {
  return [
    {
      kind: 'stacked',
      title: 'Runs by outcome',
      description:
        'A second. Released, rate-limited and waiting runs spend no attempt; fenced ones were overtaken by a later run.',
      unit: 'ops',
      targets: [[`sum by (outcome) (rate(bunri_stage_runs_total{${of}}[$__rate_interval]))`, '{{outcome}}']],
    },
    {
      kind: 'stacked',
      title: 'Failures by code',
      description: 'Failed runs a second; final ones ended their request. Empty: none has failed.',
      unit: 'ops',
      targets: [
        [`sum by (code, final) (rate(bunri_failures_total{${of}}[$__rate_interval]))`, '{{code}}, final {{final}}'],
      ],
      mayBeEmpty: true,
    },
    {
      kind: 'lines',
      title: 'Slots in use',
      description:
        'Runs in flight, and how many there may be. At the limit for long: more pods, if the other side bears it.',
      unit: 'short',
      targets: [
        [`sum(bunri_stage_in_flight{${of}})`, 'in flight'],
        [`sum(bunri_stage_slots{${of}})`, 'slots'],
      ],
    },
    {
      kind: 'lines',
      title: 'Lost workers and pauses',
      description:
        'Jobs taken from workers that gave no sign of life, and runs given back because the other side asked to wait; a minute.',
      unit: 'cpm',
      targets: [
        [`sum(rate(bunri_stalled_jobs_total{${of}}[$__rate_interval])) * 60`, 'stalled'],
        [`sum(rate(bunri_rate_limited_total{${of}}[$__rate_interval])) * 60`, 'rate limited'],
      ],
    },
    ...reusePanels(stage, of),
  ];
}

function queuePanels(of: string): readonly Panel[] {
  return [
    {
      kind: 'stacked',
      title: 'Jobs by state',
      description: 'waiting-children wait for an earlier stage; failed ones are kept for inspection.',
      unit: 'short',
      targets: [[`max by (state) (bunri_queue_jobs{${of}})`, '{{state}}']],
    },
    {
      kind: 'lines',
      title: 'Oldest job',
      description: 'How long the job has waited that could be taken and has waited longest, by class.',
      unit: 's',
      targets: [[`max by (class) (bunri_queue_class_oldest_seconds{${of}})`, '{{class}}']],
    },
    {
      kind: 'lines',
      title: 'Workers and standstill',
      description: 'Connections that take jobs; whether the queue is paused; for how long a rate limit stops it.',
      unit: 'short',
      targets: [
        [`max(bunri_queue_workers{${of}})`, 'workers'],
        [`max(bunri_queue_paused{${of}})`, 'paused'],
        [`max(bunri_queue_rate_limit_seconds{${of}})`, 'rate limit, s'],
        [`max(bunri_queue_overdue_delayed{${of}})`, 'overdue'],
      ],
    },
  ];
}

/** One stage: its queue, what its runs wait and take, and how they end. */
export function stageDashboard(stage: StageName): DashboardPlan {
  const ofStage = `stage="${stage}"`;
  const ofQueue = `queue="${stages[stage].queue}"`;
  return {
    uid: `bunri-stage-${stage.replaceAll('.', '-')}`,
    title: `Stage ${stage}`,
    description: `The queue ${stages[stage].queue} and the runs of its workers.`,
    rows: [
      { title: 'Queue', panels: queuePanels(ofQueue) },
      timeRow(stage, ofStage),
      { title: 'Work', panels: workPanels(stage, ofStage) },
    ],
  };
}
