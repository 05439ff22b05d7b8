import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { readPods } from '../pods.ts';
import { watchProbes } from '../probe-watch.ts';
import type { BenchOptions, Report, Scenario } from '../scenario.ts';
import { slotLimitAMinute } from '../slot-limit.ts';
import { slotsFigures, type SlotsSample } from '../slots-figures.ts';
import { buildBundles, withSlotsRig, type SlotsRig } from '../slots-rig.ts';
import { watchUsage } from '../usage-watch.ts';

const usualUsers = 1_000;
const rampMs = 10_000;
/** In the first round of all users, the time in which they come in and the stages fill is added to what a round takes. */
const fillMs = 15_000;

/**
 * The two-node placement under a closed loop of users, beside what its slots could do at most. `--count` is the seconds
 * that are measured, `--set users=100` makes them fewer, and `--set profile=<directory>` keeps a CPU profile of each pod.
 */
export const slots: Scenario = {
  name: 'slots',
  summary: 'the two-node placement, 1,000 users with a photo of 1 MP each, beside the limit of its slots',
  async run(options) {
    const { path, settings = {} } = options;
    const users = Number(settings['users'] ?? usualUsers);
    await buildBundles(path);
    const profileDir = settings['profile'];
    return await withSlotsRig({ ...options, profileDir }, async (rig) => await measure(rig, users, options));
  },
};

async function measure(rig: SlotsRig, users: number, { count: seconds = 150, say }: BenchOptions): Promise<Report> {
  say(`${rig.pods.length} pods are ready; ${users} users come in`);
  await rig.startUsers(users, rampMs);
  const slotLimit = slotLimitAMinute(await readPods());
  const roundMs = (users / slotLimit) * 60_000;
  const warmUpMs = roundMs + fillMs;
  await delay(warmUpMs);
  say(`measuring for ${seconds} s`);
  const seen = await watch(rig, seconds);
  say('users finish what they have begun');
  const outcomes = await rig.stopUsers();
  const calls = await rig.modelCalls();
  const count = (kind: 'vision' | 'answer') => calls.filter((call) => call.kind === kind).length;
  return {
    figures: slotsFigures({
      ...seen,
      slotLimit,
      outcomes,
      modelCalls: { vision: count('vision'), llm: count('answer') },
    }),
    notes: [
      `${users} users, measured for ${seconds} s after ${warmUpMs / 1000} s of warm-up: a round of all of them takes ${roundMs / 1000} s.`,
      'The limit of the slots is arithmetic: replicas × concurrency of the chart, divided by the mean of the simulated latency; the lesser of vision and llm.',
      'A user sends a form, listens to its events until the last one, and sends the next at once; 100 API keys, the usual rate limit.',
      'Pods run the bundles with the settings of the chart and the image. Redis writes an append-only file.',
      `Cores used beside bunri: ${seen.besideCores.join(', ')}.`,
      ...troubleOf(
        outcomes,
        seen.probes.flatMap(({ failures }) => failures),
      ),
    ],
  };
}

/** What is seen from outside while the users go on. */
async function watch({ pods, beside, redis }: SlotsRig, seconds: number) {
  const workers = new Set(pods.flatMap(({ app, pid }) => (app.endsWith('-worker') ? [pid] : [])));
  const usage = await watchUsage([...pods.map(({ pid }) => pid), ...beside.values()], workers);
  const probes = watchProbes(pods.map(({ origin }) => origin));
  const from = Date.now();
  await delay(seconds * 1_000);
  const to = Date.now();
  const { each, peakPssTogether } = await usage.stop();
  const probed = await probes.stop();
  return {
    window: { from, to },
    processes: pods.flatMap(({ app }, i) => {
      const used = each[i];
      return used ? [{ app, ...used }] : [];
    }),
    workersPeakPss: peakPssTogether,
    probes: pods.flatMap(({ app }, i) => {
      const of = probed[i];
      return of ? [{ app, ...of }] : [];
    }),
    redis: await readRedis(redis),
    besideCores: [...beside.keys()].map((name, i) => {
      const { cpuSeconds = 0 } = each[pods.length + i] ?? {};
      return `${name} ${(cpuSeconds / seconds).toFixed(2)}`;
    }),
  };
}

function troubleOf(outcomes: SlotsSample['outcomes'], probeFailures: readonly string[]): string[] {
  const others = Map.groupBy(
    outcomes.filter(({ end }) => end !== 'completed'),
    ({ end }) => end,
  );
  const refusals = outcomes.reduce((sum, { refusals: count }) => sum + count, 0);
  const resumed = outcomes.reduce((sum, { resumed: count }) => sum + count, 0);
  return [
    ...(refusals > 0 ? [`The api said "later" ${refusals} times before it took a photo.`] : []),
    ...(resumed > 0 ? [`Events broke off ${resumed} times and were taken up again.`] : []),
    ...[...others].map(([end, some]) => `${some.length} × ${end}`),
    ...(probeFailures.length > 0 ? [`Probes that failed: ${probeFailures.slice(0, 5).join('; ')}.`] : []),
  ];
}

async function readRedis(redis: Redis): Promise<SlotsSample['redis']> {
  const info = await redis.info();
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  // One of the connections asks this.
  return { connections: number('connected_clients') - 1, bytes: number('used_memory') };
}
