import type { Redis } from 'ioredis';
import type { Metrics } from '@bunri/runtime';

type Info = ReadonlyMap<string, string>;

/** Reads `name:value` lines; sections and what has no value are left out. */
function parseInfo(text: string): Info {
  return new Map(Array.from(text.matchAll(/^(\w+):(.*?)\r?$/gm), ([, name = '', value = '']) => [name, value]));
}

/** Time that Redis has worked on commands, in seconds: the sum over all of them. */
function commandSeconds(info: Info): number {
  let microseconds = 0;
  for (const [name, value] of info) {
    if (name.startsWith('cmdstat_')) microseconds += Number(/(?:^|,)usec=(\d+)/.exec(value)?.[1] ?? 0);
  }
  return microseconds / 1e6;
}

/** Exports how Redis itself fares: what it says of itself, and how long a round trip takes. */
export function createRedisGauges({ redis, metrics }: { redis: Pick<Redis, 'info' | 'ping'>; metrics: Metrics }) {
  return async (): Promise<void> => {
    const startedAt = performance.now();
    await redis.ping();
    metrics.redisPingSeconds.set((performance.now() - startedAt) / 1000);
    const info = parseInfo(`${await redis.info()}\n${await redis.info('commandstats')}`);
    const number = (name: string) => Number(info.get(name) ?? 0);
    const totals = metrics.redisTotals;
    totals.set('commands', number('total_commands_processed'));
    totals.set('command_seconds', commandSeconds(info));
    totals.set('cpu_seconds', number('used_cpu_user') + number('used_cpu_sys'));
    totals.set('input_bytes', number('total_net_input_bytes'));
    totals.set('output_bytes', number('total_net_output_bytes'));
    totals.set('evicted_keys', number('evicted_keys'));
    totals.set('rejected_connections', number('rejected_connections'));
    metrics.redisMemory.set(number('used_memory'));
    metrics.redisMemoryLimit.set(number('maxmemory'));
    metrics.redisMemoryRss.set(number('used_memory_rss'));
    metrics.redisClients.set(number('connected_clients'));
    metrics.redisClientsBlocked.set(number('blocked_clients'));
    metrics.redisUptime.set(number('uptime_in_seconds'));
    metrics.redisNoEviction.set(info.get('maxmemory_policy') === 'noeviction' ? 1 : 0);
    const writes = ['rdb_last_bgsave_status', 'aof_last_bgrewrite_status', 'aof_last_write_status'];
    metrics.redisPersistence.set(writes.every((name) => (info.get(name) ?? 'ok') === 'ok') ? 1 : 0);
    const keys = [...info].flatMap(([name, value]) => (/^db\d+$/.test(name) ? [/keys=(\d+)/.exec(value)?.[1]] : []));
    metrics.redisKeys.set(keys.reduce((sum, count) => sum + Number(count ?? 0), 0));
  };
}
