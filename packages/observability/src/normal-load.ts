import { stageNames, stages } from '@bunri/queue-contracts';

/** One value at each minute, as promtool writes it: the same for the whole time, or growing by as much each minute. */
const steady = (value: number, minutes: number) => `${value}x${minutes}`;
const growing = (perMinute: number, minutes: number) => `0+${perMinute}x${minutes}`;

/**
 * The series of a healthy installation under a good load, of which one request in a thousand fails and one answer in a
 * hundred is late: for tests that no alert fires then.
 */
export function normalLoad(minutes: number): Record<string, string> {
  const series: Record<string, string> = {};
  const set = (name: string, labels: Record<string, string>, values: string) => {
    const all = { namespace: 'workers', ...labels };
    const inside = Object.entries(all).map(([label, value]) => `${label}="${value}"`);
    series[`${name}{${inside.join(',')}}`] = values;
  };
  const level = (name: string, value: number, labels: Record<string, string> = {}) =>
    set(`bunri_${name}`, labels, steady(value, minutes));
  const counter = (name: string, perMinute: number, labels: Record<string, string> = {}) =>
    set(`bunri_${name}`, labels, growing(perMinute, minutes));

  for (const stage of stageNames) {
    const { queue, replicas } = stages[stage];
    if (replicas === 0) {
      level('queue_workers', 0, { queue });
      level('queue_jobs', 0, { queue, state: 'prioritized' });
      continue;
    }
    level('queue_workers', replicas, { queue });
    level('queue_class_oldest_seconds', 4, { queue, class: 'interactive' });
    level('queue_class_oldest_seconds', 900, { queue, class: 'batch' });
    for (const state of ['prioritized', 'active', 'delayed', 'waiting-children'])
      level('queue_jobs', 12, { queue, state });
    level('queue_paused', 0, { queue });
    level('queue_overdue_delayed', 0, { queue });
    counter('stalled_jobs_total', 0, { stage });
    counter('stage_runs_total', 60, { stage, outcome: 'completed' });
    counter('degraded_answers_total', 1, { stage, code: 'model_timeout' });
  }
  requests(level, counter);
  models(level, counter);
  stores(level, counter);
  counter('traces_dropped_total', 0, { app: 'api', reason: 'queue_full' });
  for (const app of ['api', 'scheduler', 'llm-worker']) {
    level('redis_up', 1, { app, pod: `${app}-1` });
    set('nodejs_eventloop_lag_p99_seconds', { app }, steady(0.02, minutes));
  }
  for (const task of ['sweep', 'clean_caches', 'daily_statistics'])
    counter('schedule_last_success_timestamp_seconds', 60, { task });
  return series;
}

type Set = (name: string, value: number, labels?: Record<string, string>) => void;

function requests(level: Set, counter: Set): void {
  const ended = (outcome: string) => ({ class: 'interactive', outcome });
  counter('request_duration_seconds_count', 1000, ended('completed'));
  counter('request_duration_seconds_bucket', 990, { ...ended('completed'), le: '30' });
  counter('request_duration_seconds_count', 1, ended('failed'));
  counter('request_duration_seconds_count', 50, ended('rejected'));
  counter('requests_accepted_total', 1051, { cached: 'false' });
  counter('requests_refused_total', 1, { reason: 'overloaded' });
  level('dead_letters', 20, { app: 'scheduler' });
  level('open_requests', 30, { app: 'scheduler' });
  level('webhook_outbox_oldest_seconds', 0.2, { app: 'scheduler' });
  level('webhook_outbox_events', 3, { app: 'scheduler' });
  // A receiver that is down, and a batch that takes most of its day.
  const aside = { webhooks: 5_000, batches: 4 };
  for (const [queue, delayed] of Object.entries(aside)) {
    level('queue_workers', 2, { queue });
    level('queue_oldest_seconds', 3, { queue });
    level('queue_jobs', delayed, { queue, state: 'delayed' });
  }
  level('batch_oldest_seconds', 23 * 3600, { app: 'api' });
  counter('swept_total', 0, { found: 'requeued' });
}

function models(level: Set, counter: Set): void {
  const model = 'gpt-5';
  counter('model_calls_total', 60, { model, outcome: 'ok' });
  counter('model_calls_total', 2, { model, outcome: 'model_timeout' });
  counter('model_calls_total', 20, { model, outcome: 'rate_limited' });
  level('breaker_state', 0, { model });
  // 0.005 a minute is 7.2 a day.
  counter('model_cost_usd_total', 0.005, { model });
  level('spending_cap_usd', 10, { cap: 'day' });
  level('spending_today_usd', 5);
}

function stores(level: Set, counter: Set): void {
  level('redis_memory_used_bytes', 300e6);
  level('redis_memory_limit_bytes', 640e6);
  level('redis_noeviction', 1);
  level('redis_persistence_ok', 1);
  counter('redis_evicted_keys_total', 0);
  level('event_stream_bytes', 40e6, { state: 'open' });
  counter('storage_call_seconds_count', 600, { operation: 'read_object', outcome: 'ok' });
  counter('storage_call_seconds_count', 3, { operation: 'read_object', outcome: 'failed' });
}
