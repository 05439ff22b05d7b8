import { Redis } from 'ioredis';
import { createRecordStore } from '@bunri/runtime';
import { startRedis } from '@bunri/testkit';
import { startBucket } from '../bench-bucket.ts';
import { openProbes, operations, type Round } from '../growth-probes.ts';
import { bigOwner, fillUp, playRequests, type BytesPerRequest } from '../growth-store.ts';
import { bytesOfKeys, capacity } from '../redis-memory.ts';
import { alone, compare, type BenchOptions, type Figure, type Pair, type Report, type Scenario } from '../scenario.ts';
import { startServer } from '../server-process.ts';
import { stopAll } from '../stops.ts';

const small = 1_000;
const gibibyte = 2 ** 30;
const storeBytes = 4 * gibibyte;
/** The api refuses new requests above 85 %, so that a store is full before that. */
const usableShare = 0.8;
const mostGrowth = 1.3;

/** Records that are kept: what they cost, and that nothing which works on them takes longer for their number. */
export const growth: Scenario = {
  name: 'growth',
  summary: 'a store of 1,000 finished requests and one of 1,000,000',
  async run(options) {
    const { count = 1_000_000, say } = options;
    if (count <= small) throw new Error(`--count has to be more than ${small}`);
    return await withStore(options, async ({ redis, prefix, round }) => {
      say(`${small} requests are played and archived`);
      const bytes = await playRequests(redis, prefix, small);
      const before = await rounds(options, small, round);
      const { bytes: copied } = await fillUp(redis, prefix, count, say);
      const after = await rounds(options, count, round);
      const pairs = before.map((baseline, i): Pair<Round> => ({ baseline, bunri: after[i] ?? baseline }));
      return report(pairs, bytes, copied, await kinds(redis, prefix));
    });
  },
};

async function withStore<Result>(
  { redisBinary }: BenchOptions,
  use: (store: { redis: Redis; prefix: string; round: () => Promise<Round> }) => Promise<Result>,
): Promise<Result> {
  const prefix = '{bench-growth}';
  const closers: (() => Promise<unknown> | void)[] = [];
  try {
    const server = await startRedis({ binary: redisBinary });
    closers.push(async () => await server.stop());
    const redis = new Redis(server.url);
    closers.push(() => redis.disconnect());
    const bucket = await startBucket();
    closers.push(async () => await bucket.stop());
    const scheduler = await startServer({
      name: 'the scheduler',
      file: new URL('../../../../apps/scheduler/src/main.ts', import.meta.url),
      env: { ...bucket.env, REDIS_URL: server.url, REDIS_PREFIX: prefix },
      readyPath: '/readyz',
    });
    closers.push(async () => await scheduler.stop());
    const probes = await openProbes(redis, prefix, scheduler.url);
    closers.push(async () => await probes.close());
    return await use({ redis, prefix, round: async () => await probes.round() });
  } finally {
    await stopAll(closers);
  }
}

/** One to warm up, then those that count. */
async function rounds(
  { rounds: times, say }: BenchOptions,
  size: number,
  round: () => Promise<Round>,
): Promise<Round[]> {
  await round();
  const done: Round[] = [];
  for (let n = 1; n <= times; n += 1) {
    say(`round ${n} at ${size} requests`);
    done.push(await round());
  }
  return done;
}

/** Of archived requests: the record itself, and what each entry of an index takes. */
async function kinds(redis: Redis, prefix: string): Promise<{ record: number; finished: number; owner: number }> {
  const { keys } = createRecordStore({ redis, prefix });
  const ids = await redis.zrange(keys.finished, 0, '499');
  const entry = async (key: string) => (await bytesOfKeys(redis, [key])) / (await redis.zcard(key));
  return {
    record: await bytesOfKeys(
      redis,
      ids.map((id) => keys.record(id)),
    ),
    finished: await entry(keys.finished),
    owner: await entry(keys.owner(bigOwner)),
  };
}

function report(
  pairs: readonly Pair<Round>[],
  bytes: BytesPerRequest,
  copied: number,
  of: Awaited<ReturnType<typeof kinds>>,
): Report {
  const whole = capacity(storeBytes, usableShare, bytes.atRest + bytes.caches);
  const recordsAlone = capacity(storeBytes, usableShare, bytes.atRest);
  const hours = (rate: number) => [
    alone(`hours until then at ${rate === perDay ? '1,000,000 a day' : '1,200 a minute'}`, [whole.hoursAt(rate)]),
    alone('the same, where results are not kept for reuse', [recordsAlone.hoursAt(rate)]),
  ];
  return {
    figures: [
      ...operations.flatMap((operation): Figure[] => [
        compare(`${operation}: p50, ms`, pairs, (round) => round[operation].p50Ms, { atMost: mostGrowth }),
        compare(`${operation}: p50 ÷ fixed read`, pairs, (round) => round[operation].p50Ms / round[operation].fixedMs),
      ]),
      besides('bytes a finished request: as it ends, archived', bytes.asItEnds, bytes.atRest),
      alone('bytes of each that was added, archived', [copied]),
      alone('– of them the record', [of.record]),
      alone('– its entry in the index of finished requests', [of.finished]),
      alone('– its entry in the list of its owner', [of.owner]),
      alone('bytes of its results in the caches, until their retention ends', [bytes.caches]),
      alone('requests that fill 4 GiB to 80 %', [whole.requests]),
      ...[perDay, perMinute].flatMap(hours),
    ],
    notes: [
      'The left side is the store of 1,000 requests, the right side the large one, measured later in the same run. The fixed ' +
        'read beside each operation costs the same in any store: where its quotient stays and the milliseconds do not, it was the machine.',
      'The large store holds copies of the thousand that were played, under ids of their own. Half of all are one owner’s. Tasks are run by a real scheduler and told in its own whole milliseconds.',
    ],
  };
}

/** Requests an hour. */
const perDay = 1_000_000 / 24;
const perMinute = 1_200 * 60;

function besides(figure: string, baseline: number, bunri: number): Figure {
  return { figure, baseline, bunri, ratio: bunri / baseline, noisePercent: null, bound: null };
}
