import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** From an answer out of the cache to a batch that took the whole day. */
const requestSeconds = [0.1, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300, 900, 3600, 14_400, 86_400];

/** Without its first value, 0, which every process would show although the scheduler alone measures. */
function unset<M extends { remove(): void }>(metric: M): M {
  metric.remove();
  return metric;
}

/** The instruments of what the scheduler measures once for the whole installation, in Redis. */
export function installationMetrics(registers: Registry[]) {
  const redisTotals = new Map<string, number>();
  const gauge = (name: string, help: string) => unset(new Gauge({ name: `bunri_${name}`, help, registers }));
  /** A counter that shows what Redis has counted; it begins anew when Redis does. */
  const redisTotal = (name: string, help: string) =>
    unset(
      new Counter({
        name: `bunri_redis_${name}_total`,
        help,
        registers,
        collect() {
          const value = redisTotals.get(name);
          if (value === undefined) return;
          this.reset();
          this.inc(value);
        },
      }),
    );
  redisTotal('commands', 'Commands that Redis has processed since its start.');
  redisTotal('command_seconds', 'Time that Redis has worked on commands since its start.');
  redisTotal('cpu_seconds', 'Processor time that Redis has used since its start.');
  redisTotal('input_bytes', 'Bytes that Redis has read from its clients since its start.');
  redisTotal('output_bytes', 'Bytes that Redis has written to its clients since its start.');
  redisTotal('evicted_keys', 'Keys that Redis has thrown away for want of memory; any is a lost promise.');
  redisTotal('rejected_connections', 'Connections that Redis has refused, its limit of clients being reached.');
  return {
    /** What Redis has counted, by the middle of the counter's name. */
    redisTotals,
    requestSeconds: new Histogram({
      name: 'bunri_request_duration_seconds',
      help: "Time from a request's acceptance to its end, by class and outcome: completed, cached, reopened (failed or lost before), rejected (the client's fault), failed (ours or the provider's), canceled.",
      labelNames: ['class', 'outcome'],
      buckets: requestSeconds,
      registers,
    }),
    requestsFailed: new Counter({
      name: 'bunri_requests_failed_total',
      help: 'Requests that ended with an error, by its code.',
      labelNames: ['code'],
      registers,
    }),
    requestsUncounted: new Counter({
      name: 'bunri_requests_uncounted_total',
      help: 'Ended requests that are in no figure of their end, since their records could not be read any more.',
      registers,
    }),
    queueClassJobs: new Gauge({
      name: 'bunri_queue_class_jobs',
      help: 'Jobs of a queue that a worker could take now, by class: interactive or batch.',
      labelNames: ['queue', 'class'],
      registers,
    }),
    queueClassOldestSeconds: new Gauge({
      name: 'bunri_queue_class_oldest_seconds',
      help: 'Age of the job of a class that has waited longest in a queue; 0 when none waits.',
      labelNames: ['queue', 'class'],
      registers,
    }),
    queuePaused: new Gauge({
      name: 'bunri_queue_paused',
      help: '1 while a queue is paused by an operator.',
      labelNames: ['queue'],
      registers,
    }),
    queueRateLimitSeconds: new Gauge({
      name: 'bunri_queue_rate_limit_seconds',
      help: 'For how long a queue gives out no jobs, because the other side asked to wait; 0 when it gives them out.',
      labelNames: ['queue'],
      registers,
    }),
    deadLetters: gauge(
      'dead_letters',
      "Requests that failed on our side or the provider's and are kept to be retried.",
    ),
    openRequests: gauge('open_requests', 'Requests that have not ended.'),
    spendingToday: gauge(
      'spending_today_usd',
      'What models have cost since midnight in Seoul, calls in flight included.',
    ),
    ownersToday: gauge('owners_today', 'Owners for whom models were paid since midnight in Seoul.'),
    ownerSpendingToday: new Gauge({
      name: 'bunri_owner_spending_today_usd',
      help: 'What models have cost since midnight in Seoul, for the ten owners that cost most.',
      labelNames: ['owner'],
      registers,
    }),
    eventStreamBytes: new Gauge({
      name: 'bunri_event_stream_bytes',
      help: 'Memory of the event streams of requests in Redis by their state, open or finished, estimated from a sample.',
      labelNames: ['state'],
      registers,
    }),
    redisPingSeconds: gauge('redis_ping_seconds', 'Time of one round trip to Redis and back.'),
    redisMemory: gauge('redis_memory_used_bytes', 'Memory that Redis holds its data in.'),
    redisMemoryLimit: gauge('redis_memory_limit_bytes', "Redis's maxmemory; 0 when there is none."),
    redisMemoryRss: gauge('redis_memory_rss_bytes', 'Memory that the operating system has given to Redis.'),
    redisClients: gauge('redis_clients', 'Connections of clients to Redis.'),
    redisClientsBlocked: gauge(
      'redis_clients_blocked',
      'Connections that wait for something to come, as idle workers do.',
    ),
    redisKeys: gauge('redis_keys', 'Keys in Redis, those of others included.'),
    redisNoEviction: gauge(
      'redis_noeviction',
      "1 while Redis's maxmemory-policy is noeviction, as the queues need it.",
    ),
    redisPersistence: gauge('redis_persistence_ok', '1 while the last writes of Redis to its disk have succeeded.'),
    redisUptime: gauge('redis_uptime_seconds', 'Time since Redis started.'),
  };
}
