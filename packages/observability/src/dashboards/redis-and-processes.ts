import type { DashboardPlan, Panel } from '../panel.ts';

export const memoryOfRedis: Panel = {
  kind: 'lines',
  title: 'Memory of Redis',
  description: 'From 85 % of its limit on, the api takes no new requests, so that the accepted ones can end.',
  unit: 'bytes',
  targets: [
    ['max(bunri_redis_memory_used_bytes)', 'used'],
    ['max(bunri_redis_memory_rss_bytes)', 'from the system'],
    ['max(bunri_redis_memory_limit_bytes) > 0', 'limit'],
    ['sum by (state) (bunri_event_stream_bytes)', 'event streams, {{state}} requests'],
  ],
};

/** Yes or no, of which yes is good. */
const isGood: Panel['words'] = { 1: { text: 'yes', isGood: true }, 0: { text: 'NO', isGood: false } };

const redis: readonly Panel[] = [
  {
    kind: 'figure',
    title: 'Never evicts',
    description: 'Whether maxmemory-policy is noeviction. Anything else loses jobs when memory is short.',
    unit: 'short',
    targets: [['min(bunri_redis_noeviction)', '']],
    words: isGood,
  },
  {
    kind: 'figure',
    title: 'Writes its disk',
    description: 'Whether the last writes of the append-only file and of the snapshot have succeeded.',
    unit: 'short',
    targets: [['min(bunri_redis_persistence_ok)', '']],
    words: isGood,
  },
  {
    kind: 'figure',
    title: 'Evicted keys',
    description: 'Since Redis started. Any is a lost promise.',
    unit: 'short',
    targets: [['max(bunri_redis_evicted_keys_total)', '']],
    limits: { bad: 1 },
  },
  {
    kind: 'figure',
    title: 'Refused connections',
    description: 'Since Redis started: its limit of clients was reached.',
    unit: 'short',
    targets: [['max(bunri_redis_rejected_connections_total)', '']],
    limits: { bad: 1 },
  },
  {
    kind: 'figure',
    title: 'Keys',
    description: 'In Redis, those of others included.',
    unit: 'short',
    targets: [['max(bunri_redis_keys)', '']],
  },
  {
    kind: 'figure',
    title: 'Up since',
    description: 'Time since Redis started.',
    unit: 's',
    targets: [['max(bunri_redis_uptime_seconds)', '']],
  },
  memoryOfRedis,
  {
    kind: 'lines',
    title: 'Processor of Redis',
    description: 'Redis works on one core: near 1 everything waits for it. Work on commands is a part of it.',
    unit: 'percentunit',
    targets: [
      ['max(rate(bunri_redis_cpu_seconds_total[$__rate_interval]))', 'processor'],
      ['max(rate(bunri_redis_command_seconds_total[$__rate_interval]))', 'commands'],
    ],
    limits: { warn: 0.6, bad: 0.85 },
  },
  {
    kind: 'lines',
    title: 'Commands',
    description: 'A second.',
    unit: 'ops',
    targets: [['max(rate(bunri_redis_commands_total[$__rate_interval]))', 'commands']],
  },
  {
    kind: 'lines',
    title: 'Round trip to Redis',
    description: "One ping of the scheduler's at each look, and the mean time of a command in Redis itself.",
    unit: 's',
    targets: [
      ['max(bunri_redis_ping_seconds)', 'ping'],
      [
        'max(rate(bunri_redis_command_seconds_total[$__rate_interval])) / max(rate(bunri_redis_commands_total[$__rate_interval]))',
        'mean of a command',
      ],
    ],
    limits: { warn: 0.01, bad: 0.1 },
  },
  {
    kind: 'lines',
    title: 'Clients of Redis',
    description: 'Connections; blocked ones wait for something to come, as idle workers do.',
    unit: 'short',
    targets: [
      ['max(bunri_redis_clients)', 'connected'],
      ['max(bunri_redis_clients_blocked)', 'blocked'],
    ],
  },
  {
    kind: 'lines',
    title: 'Bytes in and out of Redis',
    description: 'A second.',
    unit: 'Bps',
    targets: [
      ['max(rate(bunri_redis_input_bytes_total[$__rate_interval]))', 'in'],
      ['max(rate(bunri_redis_output_bytes_total[$__rate_interval]))', 'out'],
    ],
  },
];

const processes: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Cut off from Redis',
    description: 'Processes that Redis does not answer. Anything but 0 is an outage of theirs.',
    unit: 'short',
    targets: [['count by (app) (bunri_redis_up) - sum by (app) (bunri_redis_up)', '{{app}}']],
    limits: { bad: 1 },
  },
  {
    kind: 'lines',
    title: 'Event loop lag, p99',
    description: 'How late timers are. Above a second, locks and probes are in danger.',
    unit: 's',
    targets: [['max by (app) (nodejs_eventloop_lag_p99_seconds)', '{{app}}']],
    limits: { warn: 0.2, bad: 1 },
  },
  {
    kind: 'lines',
    title: 'Processor',
    description: 'Cores in use by all processes of an app.',
    unit: 'short',
    targets: [['sum by (app) (rate(process_cpu_seconds_total[$__rate_interval]))', '{{app}}']],
  },
  {
    kind: 'lines',
    title: 'Memory',
    description: 'Resident memory of the largest process of an app.',
    unit: 'bytes',
    targets: [['max by (app) (process_resident_memory_bytes)', '{{app}}']],
  },
  {
    kind: 'lines',
    title: 'Heap',
    description: "V8's heap in use, of the fullest process of an app.",
    unit: 'bytes',
    targets: [['max by (app) (nodejs_heap_size_used_bytes)', '{{app}}']],
  },
  {
    kind: 'lines',
    title: 'Garbage collection',
    description: 'Share of its time that the process spends on it that spends most, of each app.',
    unit: 'percentunit',
    targets: [
      ['max by (app) (sum by (app, instance) (rate(nodejs_gc_duration_seconds_sum[$__rate_interval])))', '{{app}}'],
    ],
  },
  {
    kind: 'lines',
    title: 'Open files',
    description: 'File descriptors of the process that has most, against its limit.',
    unit: 'percentunit',
    targets: [['max by (app) (process_open_fds / process_max_fds)', '{{app}}']],
    limits: { warn: 0.5, bad: 0.8 },
  },
  {
    kind: 'lines',
    title: "Clocks against Redis's",
    description: 'The largest difference; above half a second a process goes by the clock of Redis.',
    unit: 's',
    targets: [['max by (app) (abs(bunri_clock_offset_seconds))', '{{app}}']],
    limits: { warn: 0.5, bad: 5 },
  },
  {
    kind: 'lines',
    title: 'Listeners',
    description: 'Clients that follow a request over an event stream.',
    unit: 'short',
    targets: [['sum(bunri_event_listeners{app="api"})', 'listeners']],
  },
  {
    kind: 'lines',
    title: 'Dropped spans',
    description:
      'Parts of traces that did not reach the collector, a second: its queue was full, or it did not take them. Empty: none.',
    unit: 'ops',
    targets: [['sum by (app, reason) (rate(bunri_traces_dropped_total[$__rate_interval]))', '{{app}} {{reason}}']],
    mayBeEmpty: true,
  },
];

/** What everything stands on. */
export const redisAndProcesses: DashboardPlan = {
  uid: 'bunri-redis-and-processes',
  title: 'Redis and processes',
  description: 'What everything stands on.',
  rows: [
    { title: 'Redis', panels: redis },
    { title: 'Processes', panels: processes },
  ],
};
