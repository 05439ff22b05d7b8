import { followsCluster, type Operator } from '@bunri/runtime';

/** What Redis says of itself; null for what it does not tell this user. */
export interface RedisFacts {
  readonly version: string;
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string;
  readonly role: string;
  readonly replicas: number;
  readonly evictionPolicy: string;
  readonly evictedKeys: number;
  /** 0 where there is no limit. */
  readonly memoryLimitBytes: number;
  readonly memoryUsedBytes: number;
  readonly appendOnly: boolean;
  readonly appendOnlyWrites: string;
  readonly appendFsync: string | null;
  readonly snapshots: string | null;
  readonly lastSnapshot: string;
  readonly hz: number;
  readonly clients: number;
  readonly mostClients: number | null;
  /** Round trips from here, ms. */
  readonly latencyMs: { readonly median: number; readonly worst: number };
  /** By how much its clock is ahead of this machine's, ms. */
  readonly clockOffsetMs: number;
  /** Whether keys under the prefix are kept by this very node. */
  readonly holdsPrefix: boolean;
  /** Whether REDIS_URL names a cluster, so that another node is found when these keys go there. */
  readonly followsCluster: boolean;
}

const pings = 20;

/** Asks Redis for what bunri depends on, and changes nothing. */
export async function readRedisFacts(operator: Operator): Promise<RedisFacts> {
  const { redis } = operator;
  const info = parseInfo(await redis.info());
  const text = (name: string) => info.get(name) ?? '';
  const count = (name: string) => Number(info.get(name) ?? 0);
  return {
    version: text('redis_version'),
    mode: text('redis_mode'),
    role: text('role'),
    replicas: count('connected_slaves'),
    evictionPolicy: text('maxmemory_policy'),
    evictedKeys: count('evicted_keys'),
    memoryLimitBytes: count('maxmemory'),
    memoryUsedBytes: count('used_memory'),
    appendOnly: count('aof_enabled') === 1,
    appendOnlyWrites: text('aof_last_write_status'),
    appendFsync: await setting(operator, 'appendfsync'),
    snapshots: await setting(operator, 'save'),
    lastSnapshot: text('rdb_last_bgsave_status'),
    hz: count('hz'),
    clients: count('connected_clients'),
    mostClients: info.has('maxclients') ? count('maxclients') : null,
    latencyMs: await measureLatency(operator),
    clockOffsetMs: operator.clockOffsetMs,
    holdsPrefix: await holdsPrefix(operator),
    followsCluster: followsCluster(redis),
  };
}

function parseInfo(text: string): Map<string, string> {
  return new Map(
    text.split('\r\n').flatMap((line) => {
      const at = line.indexOf(':');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );
}

/** Providers of Redis seldom let anybody read settings. */
async function setting({ redis }: Operator, name: string): Promise<string | null> {
  try {
    const [, value] = await redis.config('GET', name);
    return value ?? null;
  } catch {
    return null;
  }
}

async function measureLatency({ redis }: Operator): Promise<RedisFacts['latencyMs']> {
  const times: number[] = [];
  for (let i = 0; i < pings; i += 1) {
    const startedAt = performance.now();
    await redis.ping();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  const round = (ms: number | undefined) => Math.round((ms ?? 0) * 100) / 100;
  return { median: round(times[pings / 2]), worst: round(times.at(-1)) };
}

/** A node of a cluster sends whoever asks for another node's keys away. */
async function holdsPrefix({ redis, records }: Operator): Promise<boolean> {
  try {
    await redis.exists(records.keys.epoch);
    return true;
  } catch (error) {
    if (error instanceof Error && /^(MOVED|ASK|CLUSTERDOWN|ERR unknown command)/.test(error.message)) return false;
    throw error;
  }
}
