import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { batchMetrics } from './batch-metrics.ts';
import { measureEventLoopLag, neverMs } from './event-loop-lag.ts';
import { installationMetrics } from './installation-metrics.ts';
import { modelMetrics, stageBuckets } from './model-metrics.ts';
import { webhookMetrics } from './webhook-metrics.ts';

export type Metrics = ReturnType<typeof createMetrics>;

const requestBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 60, 120];

/** Every instrument of every process, on one registry of its own. Units are seconds, tokens and US dollars. */
export function createMetrics(options: { app: string; processMetrics?: boolean }) {
  const registry = new Registry();
  registry.setDefaultLabels({ app: options.app });
  if (options.processMetrics ?? true) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
    measureEventLoopLag(registry);
  }
  const registers = [registry];
  return {
    registry,
    ...modelMetrics(registers),
    ...webhookMetrics(registers),
    ...batchMetrics(registers),
    ...installationMetrics(registers),
    stageRuns: new Counter({
      name: 'bunri_stage_runs_total',
      help: 'Runs of a stage by how they ended: completed, cached, retry, failed, released, rate_limited, waiting, skipped, fenced.',
      labelNames: ['stage', 'outcome'],
      registers,
    }),
    stageSeconds: new Histogram({
      name: 'bunri_stage_duration_seconds',
      help: 'Time from a stage taking a job to its result.',
      labelNames: ['stage', 'cached'],
      buckets: stageBuckets,
      registers,
    }),
    stageWaitSeconds: new Histogram({
      name: 'bunri_stage_wait_seconds',
      help: 'Time from a request being ready for a stage to the stage taking it.',
      labelNames: ['stage'],
      buckets: requestBuckets,
      registers,
    }),
    stageInFlight: new Gauge({
      name: 'bunri_stage_in_flight',
      help: 'Runs of a stage in this process.',
      labelNames: ['stage'],
      registers,
    }),
    stageSlots: new Gauge({
      name: 'bunri_stage_slots',
      help: 'Runs of a stage that this process takes at once.',
      labelNames: ['stage'],
      registers,
    }),
    failures: new Counter({
      name: 'bunri_failures_total',
      help: 'Failed runs by code; final says whether the request ended with it.',
      labelNames: ['stage', 'code', 'final'],
      registers,
    }),
    stalledJobs: new Counter({
      name: 'bunri_stalled_jobs_total',
      help: 'Jobs that were taken from a worker that gave no sign of life any more, as counted by those that found them.',
      labelNames: ['stage'],
      registers,
    }),
    tracesDropped: new Counter({
      name: 'bunri_traces_dropped_total',
      help: 'Spans that were not sent to the collector: queue_full, or not_sent where it did not take them.',
      labelNames: ['reason'],
      registers,
    }),
    storageSeconds: new Histogram({
      name: 'bunri_storage_call_seconds',
      help: 'Time of a call of the object storage, by what was done and its outcome: ok, absent, failed, aborted.',
      labelNames: ['operation', 'outcome'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
      registers,
    }),
    rateLimited: new Counter({
      name: 'bunri_rate_limited_total',
      help: 'Runs given back because the other side asked to wait.',
      labelNames: ['stage'],
      registers,
    }),
    cacheLookups: new Counter({
      name: 'bunri_cache_lookups_total',
      help: 'Look-ups in a result cache by result: hit or miss.',
      labelNames: ['cache', 'result'],
      registers,
    }),
    cacheRefusals: new Counter({
      name: 'bunri_cache_refusals_total',
      help: 'Results that Redis did not take into a cache; they are in their records, but cannot be reused.',
      labelNames: ['cache'],
      registers,
    }),
    sharedWork: new Counter({
      name: 'bunri_shared_work_total',
      help: 'Runs that needed paid work: led does it, waited found the same work in flight for another request.',
      labelNames: ['stage', 'role'],
      registers,
    }),
    retrievalSeconds: new Histogram({
      name: 'bunri_retrieval_seconds',
      help: 'Time of one look-up of the rules, by how they were found: id, search, category.',
      labelNames: ['by'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
      registers,
    }),
    droppedSteps: new Counter({
      name: 'bunri_guidance_steps_dropped_total',
      help: 'Steps of a model answer that cited no rule of the context and were left out.',
      registers,
    }),
    guidanceProblems: new Counter({
      name: 'bunri_guidance_problems_total',
      help: 'Model answers that failed a check, by what was wrong; one answer may count under several.',
      labelNames: ['problem'],
      registers,
    }),
    redisUp: new Gauge({ name: 'bunri_redis_up', help: '1 while Redis answers this process.', registers }),
    clockOffset: new Gauge({
      name: 'bunri_clock_offset_seconds',
      help: "How far Redis's clock is ahead of this machine's; above half a second the process goes by Redis's.",
      registers,
    }),
    httpSeconds: new Histogram({
      name: 'bunri_http_request_duration_seconds',
      help: 'Time to the end of an HTTP answer; event streams are counted apart.',
      labelNames: ['method', 'route', 'status'],
      buckets: requestBuckets,
      registers,
    }),
    requestsAccepted: new Counter({
      name: 'bunri_requests_accepted_total',
      help: 'Requests that got an id, by whether the answer was there already.',
      labelNames: ['cached'],
      registers,
    }),
    requestsRefused: new Counter({
      name: 'bunri_requests_refused_total',
      help: 'Requests that were refused before their upload was taken, by reason: overloaded, memory, spending_cap.',
      labelNames: ['reason'],
      registers,
    }),
    eventListeners: new Gauge({
      name: 'bunri_event_listeners',
      help: 'Clients that follow a request on this process.',
      registers,
    }),
    queueJobs: new Gauge({
      name: 'bunri_queue_jobs',
      help: 'Jobs of a queue by state.',
      labelNames: ['queue', 'state'],
      registers,
    }),
    queueOldestSeconds: new Gauge({
      name: 'bunri_queue_oldest_seconds',
      help: 'Age of the job that has waited longest in a queue; 0 when none waits.',
      labelNames: ['queue'],
      registers,
    }),
    queueOverdueDelayed: new Gauge({
      name: 'bunri_queue_overdue_delayed',
      help: 'Delayed jobs whose time has come and that are still delayed.',
      labelNames: ['queue'],
      registers,
    }),
    queueWorkers: new Gauge({
      name: 'bunri_queue_workers',
      help: 'Worker connections of a queue.',
      labelNames: ['queue'],
      registers,
    }),
    swept: new Counter({
      name: 'bunri_swept_total',
      help: 'Requests that the sweeper closed or repaired, by what it found.',
      labelNames: ['found'],
      registers,
    }),
    scheduleLastSuccess: new Gauge({
      name: 'bunri_schedule_last_success_timestamp_seconds',
      help: 'When a scheduled task last succeeded.',
      labelNames: ['task'],
      registers,
    }),
    scheduleRuns: new Counter({
      name: 'bunri_schedule_runs_total',
      help: 'Runs of a scheduled task by outcome: completed or failed.',
      labelNames: ['task', 'outcome'],
      registers,
    }),
    archived: new Counter({
      name: 'bunri_archived_requests_total',
      help: 'Finished requests that were packed, so that they take less memory until their retention ends.',
      registers,
    }),
    deletedObjects: new Counter({
      name: 'bunri_deleted_objects_total',
      help: 'Objects and entries removed past their retention, by kind: image, feedback, batch, record, dead_letter, cache.',
      labelNames: ['kind'],
      registers,
    }),
  };
}
