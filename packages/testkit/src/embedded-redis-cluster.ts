import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis, type EmbeddedRedis } from './embedded-redis.ts';
import { freePort } from './free-port.ts';
import { patienceMs } from './until.ts';

export interface ClusterNode extends EmbeddedRedis {
  /** For asking and telling this very node. */
  readonly admin: Redis;
  readonly id: string;
}

export interface EmbeddedRedisCluster {
  /**
   * Three primaries, then the replica of the first. The first has all keys, but for those of two slots: a cluster elects a new
   * primary only where most primaries that have slots live.
   */
  readonly nodes: readonly [first: ClusterNode, second: ClusterNode, third: ClusterNode, replica: ClusterNode];
  readonly password: string;
  /** `<host>:<port>` of the two nodes that are asked where keys are, and have none of them. */
  readonly seeds: readonly [string, string];
  /** Ends all nodes. */
  stop(): Promise<void>;
}

export interface RedisClusterOptions {
  /**
   * After how long the others take a node for lost. Default 15,000, as a node that only lacks CPU must not lose its place, and with it
   * what its replica has not got.
   */
  readonly nodeTimeoutMs?: number;
}

const firstSlots = [
  [0, 16_381],
  [16_382, 16_382],
  [16_383, 16_383],
] as const;
const password = 'of-the-cluster';

/** Starts a Redis Cluster on loopback, with a password, and waits until it serves all slots and the replica is in step. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<EmbeddedRedisCluster> {
  const started = await Promise.allSettled([0, 1, 2, 3].map(async () => await startNode(options)));
  const nodes = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const stop = async () => {
    for (const { admin } of nodes) admin.disconnect();
    await Promise.all(nodes.map(async (node) => await node.stop()));
  };
  try {
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    const [first, second, third, replica] = nodes;
    if (!first || !second || !third || !replica) throw new Error('a node is missing');
    await join([first, second, third, replica]);
    const seeds = [`127.0.0.1:${second.port}`, `127.0.0.1:${third.port}`] as const;
    return { nodes: [first, second, third, replica], password, seeds, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startNode({ nodeTimeoutMs = 15_000 }: RedisClusterOptions): Promise<ClusterNode & { busPort: number }> {
  const busPort = await freePort();
  const server = await startRedis({
    settings: {
      'cluster-enabled': 'yes',
      'cluster-port': String(busPort),
      'cluster-node-timeout': String(nodeTimeoutMs),
      'cluster-replica-validity-factor': '0',
      'repl-diskless-sync-delay': '0',
    },
  });
  const admin = new Redis(server.url, {
    replyMapping: 'legacy',
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
    disconnectTimeout: 0,
  });
  // A node may end while we are connected to it; who asks it then is told.
  admin.on('error', () => undefined);
  try {
    await admin.config('SET', 'requirepass', password, 'masterauth', password);
    admin.options.password = password;
    return { ...server, admin, busPort, id: await admin.cluster('MYID') };
  } catch (error) {
    admin.disconnect();
    await server.stop();
    throw error;
  }
}

type Started = ClusterNode & { busPort: number };

async function join(nodes: readonly [Started, Started, Started, Started]): Promise<void> {
  const [first, , , replica] = nodes;
  for (const [i, { admin }] of nodes.entries()) {
    const slots = firstSlots[i];
    if (slots) await admin.cluster('ADDSLOTSRANGE', ...slots);
    await admin.cluster('SET-CONFIG-EPOCH', i + 1);
  }
  for (const { port, busPort } of nodes.slice(1)) await first.admin.cluster('MEET', '127.0.0.1', port, busPort);
  await untilAll(nodes, async ({ admin }) => /cluster_state:ok[^]*cluster_known_nodes:4/.test(await infoOf(admin)));
  await replica.admin.cluster('REPLICATE', first.id);
  await untilAll([replica], async ({ admin }) => /master_link_status:up/.test(await admin.info('replication')));
  await untilAll(nodes, async ({ admin }) => (await replicasOf(admin, first.id)) === 1);
}

async function infoOf(admin: Redis): Promise<string> {
  return await admin.cluster('INFO');
}

async function replicasOf(admin: Redis, id: string): Promise<number> {
  return ((await admin.cluster('REPLICAS', id)) as unknown[]).length;
}

async function untilAll(nodes: readonly Started[], isSo: (node: Started) => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await Promise.all(nodes.map(isSo))).every(Boolean)) {
    if (performance.now() > giveUpAt) throw new Error('the nodes did not become a cluster in time');
    await delay(20);
  }
}
