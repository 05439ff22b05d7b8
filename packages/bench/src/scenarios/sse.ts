import { Redis } from 'ioredis';
import { startRedis, startS3 } from '@bunri/testkit';
import { percentile } from '../measure.ts';
import { alone, compare, type BenchOptions, type Figure, type Report, type Scenario } from '../scenario.ts';
import { listen, type Cast, type CrowdSample, type Lateness } from '../sse/crowd.ts';
import type { DriverAsk } from '../sse/driver.ts';
import type { ListenersAsk } from '../sse/listeners.ts';
import { startMeasuredApi } from '../sse/measured-api.ts';
import { startPeer } from '../sse/peer.ts';
import { stopAll } from '../stops.ts';

/** Transitions a second: what twenty requests a second make, the slot limit, with an answer told in forty pieces. */
const perSecond = 1_000;
const mostLatencyMs = 100;
const bucket = 'bunri-bench';

interface Sample {
  /** Each listener on a request of its own. */
  readonly many: CrowdSample;
  /** A tenth of the listeners, all on one request. */
  readonly one: CrowdSample;
}

/** Many listeners on one api process: how late they hear, what they cost, and whether they hear everything. */
export const sse: Scenario = {
  name: 'sse',
  summary: 'listeners on one api process, from the writing of an event to its arrival at their sockets',
  async run(options) {
    const { rounds, count = 2_000 } = options;
    return await withServers(options, async (start) => {
      const samples: Sample[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const { cast, stop } = await start(round);
        try {
          samples.push(await measure(cast, count));
        } finally {
          await stop();
        }
        options.say(`round ${round} of ${rounds}`);
      }
      return report(samples, count);
    });
  },
};

async function measure(cast: Cast, count: number): Promise<Sample> {
  // Code that has not run yet is slow, and takes memory when it does: a small crowd goes first.
  await listen(cast, { requests: Math.ceil(count / 10), each: 1, pieces: 2, perSecond });
  await untilDeserted(cast);
  const many = await listen(cast, { requests: count, each: 1, pieces: 2, perSecond });
  await untilDeserted(cast);
  const one = await listen(cast, { requests: 1, each: Math.ceil(count / 10), pieces: 200, perSecond: 50 });
  return { many, one };
}

async function untilDeserted({ api }: Cast): Promise<void> {
  while ((await api.state()).listeners > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

function report(samples: readonly Sample[], count: number): Report {
  const few = Math.ceil(count / 10);
  const pick = (take: (sample: Sample) => number) => samples.map(take);
  const beside = (figure: string, take: (seen: CrowdSample['silent']) => number, limit?: { atMost: number }): Figure =>
    compare(
      figure,
      samples.map(({ many }) => ({ baseline: many.silent, bunri: many.listening })),
      take,
      limit,
    );
  const grownKb = ({ many: { silent, listening } }: Sample, of: 'rssBytes' | 'heapBytes') =>
    (listening.state[of] - silent.state[of]) / 1000 / count;
  const wrong = samples.reduce((sum, { many, one }) => sum + many.wrong + one.wrong, 0);
  const late = { atMost: mostLatencyMs };
  return {
    figures: [
      alone(
        'event to socket, p50, ms',
        pick(({ many }) => percentile(many.latencies, 0.5)),
      ),
      alone(
        'event to socket, p99, ms',
        pick(({ many }) => percentile(many.latencies, 0.99)),
        late,
      ),
      alone(
        `event to socket, ${few} on one request, p50, ms`,
        pick(({ one }) => percentile(one.latencies, 0.5)),
      ),
      alone(
        `event to socket, ${few} on one request, p99, ms`,
        pick(({ one }) => percentile(one.latencies, 0.99)),
        late,
      ),
      ...lateness(samples),
      alone('events missing, repeated or out of order', [wrong], { atMost: 0 }),
      beside('Redis connections of the api; baseline: without listeners', ({ connections }) => connections, {
        atMost: 1,
      }),
      beside('RSS of the api, MB; baseline: without listeners', ({ state }) => state.rssBytes / 1e6),
      alone(
        'RSS a listener, kB',
        pick((sample) => grownKb(sample, 'rssBytes')),
      ),
      alone(
        'heap and buffers a listener, kB',
        pick((sample) => grownKb(sample, 'heapBytes')),
      ),
      alone(
        'CPU of the api for 1,000 events delivered, ms',
        pick(({ many }) => many.cpuMsPer1000),
      ),
      alone(
        `the same, ${few} on one request`,
        pick(({ one }) => one.cpuMsPer1000),
      ),
      alone(
        'all connect at once: until all are caught up, ms',
        pick(({ many }) => many.joinMs),
      ),
      alone(
        'all are cut off and reconnect at once: until all are caught up, ms',
        pick(({ many }) => many.rejoinMs),
      ),
    ],
    notes: [
      `${count} listeners on one api process, each on a request of its own, ${perSecond} transitions a second in random order through whole lives; ` +
        'timed from just before a transition is sent to Redis until the listener has the event, by a clock of the machine. ' +
        'Driver, listeners, Redis and the api share the machine: how late the event loops of three of them were is shown beside, and not taken off',
      `then ${few} listeners on one request of 50 transitions a second; ${samples.length} rounds, each with a fresh api process that was warmed up`,
    ],
  };
}

/** Of the processes that make the latencies what they are; nothing is taken off for them. */
function lateness(samples: readonly Sample[]): Figure[] {
  const names = { api: 'the api', driver: "the bench's driver", listeners: "the bench's listeners" } as const;
  return Object.entries(names).map(([who, name]) =>
    alone(
      `lateness of the event loop of ${name}, p99, ms`,
      samples.map(({ many }) => many.lateness[who as keyof Lateness]),
    ),
  );
}

type Start = (round: number) => Promise<{ cast: Cast; stop: () => Promise<void> }>;

/** Servers and client processes for all rounds; an api process for each. */
async function withServers(options: BenchOptions, use: (start: Start) => Promise<Report>): Promise<Report> {
  const stops: (() => Promise<unknown> | void)[] = [];
  const releaseAll = async (from: number) => {
    await stopAll(stops.splice(from));
  };
  const opened = <Opened>(it: Opened, stop: () => Promise<unknown> | void) => {
    stops.push(stop);
    return it;
  };
  try {
    const server = await startRedis({ binary: options.redisBinary });
    opened(server, async () => await server.stop());
    const s3 = await startS3();
    opened(s3, async () => await s3.stop());
    s3.createBucket(bucket);
    const redis = new Redis(server.url);
    opened(redis, () => redis.disconnect());
    const driver = startPeer<DriverAsk>(new URL('../sse/driver.ts', import.meta.url));
    opened(driver, async () => await driver.stop());
    const listeners = startPeer<ListenersAsk>(new URL('../sse/listeners.ts', import.meta.url));
    opened(listeners, async () => await listeners.stop());
    const constant = stops.length;
    return await use(async (round) => {
      const prefix = `{bench-sse-${round}}`;
      await driver.ask({ ask: 'connect', url: server.url, prefix });
      const api = await startMeasuredApi({
        PATH: options.path,
        REDIS_URL: server.url,
        REDIS_PREFIX: prefix,
        S3_ENDPOINT: s3.endpoint,
        S3_REGION: s3.region,
        S3_ACCESS_KEY_ID: s3.accessKeyId,
        S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
        S3_BUCKET: bucket,
      });
      opened(api, async () => await api.stop());
      return { cast: { api, driver, listeners, redis }, stop: async () => await releaseAll(constant) };
    });
  } finally {
    await releaseAll(0);
  }
}
