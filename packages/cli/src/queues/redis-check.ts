import { parse } from '../args.ts';
import { exitCodes, UsageError, type Command } from '../command.ts';
import { asJson, table } from '../table.ts';
import { readRedisFacts, type RedisFacts } from './redis-facts.ts';

export interface Check {
  readonly check: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do about it; null where it is as it should be. */
  readonly advice: string | null;
}

export const checkRedis: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } });
  if (positionals.length > 0) throw new UsageError('queues redis takes only options');
  const checks = judgeRedis(await readRedisFacts(await open()));
  if (values.json) io.out(asJson({ checks }));
  else {
    const rows = checks.map(({ check, verdict, found, advice }) => [verdict, check, found, advice ?? '']);
    for (const line of table(['', 'CHECK', 'FOUND', 'WHAT TO DO'], rows)) io.out(line);
  }
  return checks.some(({ verdict }) => verdict === 'fail') ? exitCodes.notDone : exitCodes.done;
};

/** Whether bunri can rely on a Redis. */
export function judgeRedis(facts: RedisFacts): Check[] {
  return [
    version(facts),
    mode(facts),
    role(facts),
    eviction(facts),
    persistence(facts),
    snapshots(facts),
    memory(facts),
    timers(facts),
    connections(facts),
    latency(facts),
    clock(facts),
  ];
}

function verdict(check: string, found: string, failed?: ['warn' | 'fail', advice: string] | false): Check {
  const [word, advice] = failed || (['ok', null] as const);
  return { check, verdict: word, found, advice };
}

function version({ version: found }: RedisFacts): Check {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  if (major > 6 || (major === 6 && minor >= 2)) {
    return verdict('version', found, major < 7 && ['warn', '7.0 or later is what bunri is tested with']);
  }
  return verdict('version', found, [
    'fail',
    'upgrade to 7.0 or later; commands that bunri uses are missing before 6.2',
  ]);
}

const clusterUrl = 'redis+cluster://<host>:<port>?nodes=<host>:<port>,…';

function mode({ mode: found, holdsPrefix, followsCluster }: RedisFacts): Check {
  if (found === 'sentinel') {
    return verdict('mode', found, ['fail', 'REDIS_URL names a sentinel; name the address of the primary']);
  }
  if (!holdsPrefix) {
    const advice = `another node of the cluster holds REDIS_PREFIX; make REDIS_URL ${clusterUrl}`;
    return verdict('mode', found, ['fail', advice]);
  }
  const lone = found === 'cluster' && !followsCluster;
  return verdict('mode', found, lone && ['warn', `a fail-over would cut you off; make REDIS_URL ${clusterUrl}`]);
}

function role({ role: found, replicas }: RedisFacts): Check {
  const text = `${found}, ${replicas} replicas`;
  return verdict(
    'role',
    text,
    found === 'slave' && ['fail', 'a replica takes no writes; name the primary in REDIS_URL'],
  );
}

function eviction({ evictionPolicy: found, evictedKeys }: RedisFacts): Check {
  if (found !== 'noeviction') {
    return verdict('eviction policy', found, [
      'fail',
      'set maxmemory-policy noeviction: Redis would drop jobs when full',
    ]);
  }
  const text = evictedKeys > 0 ? `${found}, ${evictedKeys} keys evicted` : found;
  return verdict(
    'eviction policy',
    text,
    evictedKeys > 0 && ['warn', 'keys were lost under an earlier policy; look for lost jobs'],
  );
}

function persistence(facts: RedisFacts): Check {
  const { appendOnly, appendFsync, appendOnlyWrites, replicas, snapshots: saves } = facts;
  if (!appendOnly) {
    const bySnapshot = saves !== null && saves !== '';
    const found = bySnapshot ? 'snapshots alone' : 'none';
    if (bySnapshot || replicas > 0) {
      return verdict('persistence', found, [
        'warn',
        'set appendonly yes: what came since the last snapshot is lost in a crash',
      ]);
    }
    return verdict('persistence', found, ['fail', 'set appendonly yes: a restart loses every accepted request']);
  }
  const found = `append-only, fsync ${appendFsync ?? 'unknown'}`;
  if (appendOnlyWrites !== 'ok') {
    return verdict('persistence', `${found}, last write ${appendOnlyWrites}`, [
      'fail',
      'the disk refuses writes; make room',
    ]);
  }
  return verdict(
    'persistence',
    found,
    appendFsync === 'no' && ['warn', 'set appendfsync everysec: a crash may lose half a minute'],
  );
}

function snapshots({ lastSnapshot: found }: RedisFacts): Check {
  return verdict(
    'last snapshot',
    found,
    found !== 'ok' && ['fail', 'it failed, and Redis may refuse writes; see its log and disk'],
  );
}

const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

function memory({ memoryUsedBytes: used, memoryLimitBytes: limit }: RedisFacts): Check {
  if (limit === 0) {
    return verdict('memory', `${mib(used)}, no limit`, [
      'warn',
      'set maxmemory, or the kernel ends Redis when memory runs out',
    ]);
  }
  const share = used / limit;
  const found = `${mib(used)} of ${mib(limit)} (${Math.round(share * 100)} %)`;
  if (share >= 0.85)
    return verdict('memory', found, ['fail', 'the api takes no new requests now; give it more, or keep less']);
  return verdict('memory', found, share >= 0.7 && ['warn', 'from 85 % on the api takes no new requests']);
}

function timers({ hz }: RedisFacts): Check {
  return verdict('hz', String(hz), hz < 10 && ['warn', 'set hz to 10 or more: delayed jobs wake up late']);
}

function connections({ clients, mostClients }: RedisFacts): Check {
  const found = `${clients} of ${mostClients ?? 'an unknown number'}`;
  const crowded = mostClients !== null && clients > 0.8 * mostClients;
  return verdict('connections', found, crowded && ['warn', 'raise maxclients, or find who opens so many']);
}

function latency({ latencyMs: { median, worst } }: RedisFacts): Check {
  const found = `${median} ms, ${worst} ms at worst`;
  if (median > 50)
    return verdict('latency', found, ['fail', 'every step of a request waits for it; bring Redis near the workers']);
  return verdict(
    'latency',
    found,
    median > 5 && ['warn', 'every step of a request waits for it; measured from this machine'],
  );
}

function clock({ clockOffsetMs: ms }: RedisFacts): Check {
  const found = `${ms >= 0 ? '+' : ''}${ms} ms`;
  return verdict(
    'clock',
    found,
    Math.abs(ms) > 2_000 && ['warn', 'the apps go by Redis’s clock; put it, or this machine’s, right'],
  );
}
