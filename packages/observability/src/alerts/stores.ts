import type { AlertGroup } from '../alert.ts';

const used = 'max by (namespace) (bunri_redis_memory_used_bytes)';
const limit = '(max by (namespace) (bunri_redis_memory_limit_bytes) > 0)';
const storage = 'bunri_storage_call_seconds_count';
const evicted = 'bunri_redis_evicted_keys_total';
const streams = 'sum by (namespace) (bunri_event_stream_bytes)';
const labels = { namespace: 'workers' };
const limitOf100 = { 'bunri_redis_memory_limit_bytes{namespace="workers"}': '100x60' };

/** Redis and the object storage. */
export const storeAlerts: AlertGroup = {
  name: 'stores',
  alerts: [
    {
      name: 'BunriRedisUnreachable',
      severity: 'critical',
      expr: 'count by (namespace, app) (bunri_redis_up == 0) > 0',
      for: '1m',
      summary: 'Processes of {{ $labels.app }} do not reach Redis; their work stands still.',
      description: 'Redis has not answered at least one process of the app for a minute.',
      example: {
        series: { 'bunri_redis_up{namespace="workers",app="api",pod="a"}': '1x4 0x10' },
        silentAt: '5m',
        firesAt: '6m',
        labels: { ...labels, app: 'api' },
      },
    },
    {
      name: 'BunriRedisMemoryHigh',
      severity: 'warning',
      expr: `${used} / ${limit} > 0.7`,
      for: '10m',
      summary: 'Redis fills up; from 85 % of its memory on, no request is accepted.',
      description: 'More than 70 % of the memory of Redis have been in use for ten minutes.',
      example: {
        series: { ...limitOf100, 'bunri_redis_memory_used_bytes{namespace="workers"}': '70x4 71x20' },
        silentAt: '14m',
        firesAt: '15m',
        labels,
      },
    },
    {
      name: 'BunriRedisMemoryFull',
      severity: 'critical',
      expr: `${used} / ${limit} > 0.85`,
      for: '1m',
      summary: 'No request is accepted: Redis has no room.',
      description: 'More than 85 % of the memory of Redis are in use. What was accepted before goes on.',
      example: {
        series: { ...limitOf100, 'bunri_redis_memory_used_bytes{namespace="workers"}': '85x4 86x10' },
        silentAt: '5m',
        firesAt: '6m',
        labels,
      },
    },
    {
      name: 'BunriRedisMayEvict',
      severity: 'critical',
      // Redis's own count, which every scheduler begins with: the second half sees what grew while none looked.
      expr: `min by (namespace) (bunri_redis_noeviction) == 0 or max by (namespace) (increase(${evicted}[15m])) > 0 or max by (namespace) (${evicted}) > max by (namespace) (${evicted} offset 15m)`,
      for: '1m',
      summary: 'Redis throws away jobs and requests when its memory is short.',
      description: 'Its maxmemory-policy is not noeviction, or it has thrown away keys within a quarter of an hour.',
      example: {
        series: { 'bunri_redis_noeviction{namespace="workers"}': '1x4 0x10' },
        silentAt: '5m',
        firesAt: '6m',
        labels,
      },
      otherExamples: [
        {
          series: {
            'bunri_redis_noeviction{namespace="workers"}': '1x60',
            'bunri_redis_evicted_keys_total{namespace="workers",pod="a"}': '7x20 _x40',
            // A scheduler that begins tells of what was long ago.
            'bunri_redis_evicted_keys_total{namespace="workers",pod="b"}': '_x20 7x4 12x30',
          },
          silentAt: '25m',
          firesAt: '26m',
          labels,
        },
        {
          // While no scheduler looked.
          series: {
            'bunri_redis_noeviction{namespace="workers"}': '1x40',
            'bunri_redis_evicted_keys_total{namespace="workers",pod="a"}': '7x20 stale',
            'bunri_redis_evicted_keys_total{namespace="workers",pod="b"}': '_x24 9x30',
          },
          silentAt: '24m',
          firesAt: '25m',
          labels,
        },
      ],
    },
    {
      name: 'BunriRedisNotPersisted',
      severity: 'critical',
      expr: 'min by (namespace) (bunri_redis_persistence_ok) == 0',
      for: '5m',
      summary: 'Redis cannot write its disk: a restart loses every open request.',
      description: 'The last write of the append-only file, or the last snapshot, has failed.',
      example: {
        series: { 'bunri_redis_persistence_ok{namespace="workers"}': '1x4 0x10' },
        silentAt: '9m',
        firesAt: '10m',
        labels,
      },
    },
    {
      name: 'BunriEventStreamsLarge',
      severity: 'warning',
      expr: `${streams} / ${limit} > 0.25 or ${streams} > 1e9`,
      for: '10m',
      summary: 'The event streams of requests take too much of the memory of Redis.',
      description:
        'They are estimated at more than a quarter of the memory that Redis may use, or at more than a gigabyte.',
      example: {
        series: {
          ...limitOf100,
          'bunri_event_stream_bytes{namespace="workers",state="open"}': '5x60',
          'bunri_event_stream_bytes{namespace="workers",state="finished"}': '20x4 21x20',
        },
        silentAt: '14m',
        firesAt: '15m',
        labels,
      },
      otherExamples: [
        {
          series: {
            'bunri_redis_memory_limit_bytes{namespace="workers"}': '0x60',
            'bunri_event_stream_bytes{namespace="workers",state="open"}': '1000000000x4 1100000000x20',
          },
          silentAt: '14m',
          firesAt: '15m',
          labels,
        },
      ],
    },
    {
      name: 'BunriStorageFails',
      severity: 'critical',
      expr: `sum by (namespace) (rate(${storage}{outcome="failed"}[5m])) / sum by (namespace) (rate(${storage}[5m])) > 0.05`,
      for: '5m',
      summary: 'Photos cannot be stored or read: the object storage fails.',
      description: 'For five minutes more than one in twenty calls of the object storage has failed.',
      example: {
        series: {
          [`${storage}{namespace="workers",operation="read_object",outcome="ok"}`]: '0+60x40',
          [`${storage}{namespace="workers",operation="read_object",outcome="failed"}`]: '0x10 0+20x30',
        },
        silentAt: '15m',
        firesAt: '18m',
        labels,
      },
    },
  ],
};
