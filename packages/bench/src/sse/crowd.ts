import type { Redis } from 'ioredis';
import type { DriverAsk } from './driver.ts';
import { deliveries, eventsOf, journeyOf, type Heard } from './journey.ts';
import type { ListenersAsk } from './listeners.ts';
import { demoOwner, type ApiState, type MeasuredApi } from './measured-api.ts';
import type { Peer } from './peer.ts';

/** Everybody who plays in a round, on one api process. */
export interface Cast {
  readonly api: MeasuredApi;
  readonly driver: Peer<DriverAsk>;
  readonly listeners: Peer<ListenersAsk>;
  readonly redis: Redis;
}

export interface CrowdOptions {
  readonly requests: number;
  /** Listeners of each request. */
  readonly each: number;
  /** Pieces of each answer. */
  readonly pieces: number;
  /** Transitions a second. */
  readonly perSecond: number;
}

/** Milliseconds. */
export interface Lateness {
  readonly api: number;
  /** Of the two processes that measure, each of which is late at one end. */
  readonly driver: number;
  readonly listeners: number;
}

/** What listening was like, from the first connection to the end of the last stream. Times are ms. */
export interface CrowdSample {
  /** From sending a transition to each arrival of its events. */
  readonly latencies: readonly number[];
  readonly delivered: number;
  /** Until all had connected at once and heard what there was. */
  readonly joinMs: number;
  /** The same again, when all were cut off half way and came back at once. */
  readonly rejoinMs: number;
  /** CPU of the api while events came, for 1,000 deliveries. */
  readonly cpuMsPer1000: number;
  /** How late each process came to what was due while events came, the 99th percentile: part of every latency. */
  readonly lateness: Lateness;
  /** Events that did not come, came twice or out of order. */
  readonly wrong: number;
  readonly silent: { readonly state: ApiState; readonly connections: number };
  readonly listening: { readonly state: ApiState; readonly connections: number };
}

/** Lets a crowd listen to requests for the whole of their lives, the connections being lost once half way. */
export async function listen(cast: Cast, options: CrowdOptions): Promise<CrowdSample> {
  const { api, driver, listeners } = cast;
  const { requests: count, each, pieces, perSecond } = options;
  const silent = await observe(cast);
  const ids: string[] = await driver.ask({ ask: 'accept', count, pieces, owner: demoOwner });
  const journey = journeyOf(pieces);
  const requests = Array.from({ length: count * each }, (_, i) => i % count);
  await listeners.ask({ ask: 'follow', origin: api.origin, ids, requests, events: eventsOf(journey) });
  const join = async () =>
    await listeners.ask<number>({ ask: 'join', reached: await driver.ask<Int32Array>({ ask: 'reached' }) });
  const joinMs = await join();
  const listening = await observe(cast);

  const steps = count * journey.length;
  const half = Math.floor((steps - count) / 2);
  const first = await observed(cast, async () => await driver.ask({ ask: 'play', steps: half, perSecond }));
  await listeners.ask({ ask: 'drop' });
  // What happens meanwhile, as much as a tenth of all, is to be read from the streams.
  await driver.ask({ ask: 'play', steps: count });
  const rejoinMs = await join();
  let heard: readonly Heard[] = [];
  const second = await observed(cast, async () => {
    await driver.ask({ ask: 'play', steps: steps - count - half, perSecond });
    heard = await listeners.ask<Heard[]>({ ask: 'heard' });
  });
  const { latencies, missing, astray } = deliveries(await driver.ask({ ask: 'sent' }), heard);
  return {
    latencies,
    delivered: latencies.length,
    joinMs,
    rejoinMs,
    cpuMsPer1000: ((first.cpuMs + second.cpuMs) / latencies.length) * 1000,
    lateness: worse(first.lateness, second.lateness),
    wrong: missing + astray,
    silent,
    listening,
  };
}

async function observe({ api, redis }: Cast): Promise<CrowdSample['silent']> {
  const state = await api.settledState();
  const clients = String(await redis.client('LIST'))
    .trim()
    .split('\n');
  return { state, connections: clients.filter((client) => / name=api-/.test(client)).length };
}

async function observed(cast: Cast, work: () => Promise<unknown>): Promise<{ cpuMs: number; lateness: Lateness }> {
  const before = await readProcesses(cast);
  await work();
  const after = await readProcesses(cast);
  return { cpuMs: (after.cpuSeconds - before.cpuSeconds) * 1000, lateness: after.lateness };
}

async function readProcesses({ api, driver, listeners }: Cast): Promise<{ cpuSeconds: number; lateness: Lateness }> {
  const ask = { ask: 'lateness' } as const;
  const late = { driver: await driver.ask<number>(ask), listeners: await listeners.ask<number>(ask) };
  const { cpuSeconds, latenessMs } = await api.state();
  return { cpuSeconds, lateness: { ...late, api: latenessMs } };
}

function worse(one: Lateness, other: Lateness): Lateness {
  const worst = (who: keyof Lateness) => Math.max(one[who], other[who]);
  return { api: worst('api'), driver: worst('driver'), listeners: worst('listeners') };
}
