import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { appNames, type AppName } from '@bunri/cli/system';
import { drawSamplePhoto, startModelApiSimulator, startRedis } from '@bunri/testkit';
import { startBucket } from '../bench-bucket.ts';
import { startCold, type ColdStart } from '../cold-start.ts';
import { folderBytes } from '../folder-size.ts';
import { readPods } from '../pods.ts';
import { rssOf } from '../process-usage.ts';
import { alone, type BenchOptions, type Figure, type Scenario } from '../scenario.ts';
import { buildBundles } from '../slots-rig.ts';
import { allStopped, stopAll } from '../stops.ts';
import { formBody } from '../submission-form.ts';

interface Sample {
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly readyRss: number;
  readonly idleRss: number;
  readonly usedRss: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const idleMs = 2_000;
const latency = { vision: [50, 100], answer: [50, 100] } satisfies Record<string, [number, number]>;
/** Those whose memory is bounded. The other two hold the photos of their clients. */
const small: readonly AppName[] = ['vision-worker', 'rag-worker', 'llm-worker', 'scheduler'];
const megabyte = 1e6;

/** Each app from its bundle: time and memory until it is ready, when it idles, and after one request. */
export const start: Scenario = {
  name: 'start',
  summary: 'cold start of each app from its bundle, its memory and its size',
  async run(options) {
    await buildBundles(options.path);
    const samples = new Map<AppName, Sample[]>(appNames.map((app) => [app, []]));
    await withOutside(options, async (env) => {
      // The first round reads the files of all bundles into the page cache.
      for (let round = 0; round <= options.rounds; round += 1) {
        const measured = await startAll(env, round);
        for (const [app, sample] of measured) if (round > 0) samples.get(app)?.push(sample);
        options.say(round === 0 ? 'warmed up' : `round ${round} of ${options.rounds}`);
      }
    });
    const sizes = await Promise.all(appNames.map(sizesOf));
    return {
      figures: [...[...samples].flatMap(([app, each]) => figuresOf(app, each)), ...sizes.flat()],
      notes: [
        `one process after the other, started as the image and the chart do, the bundles in the page cache. Idle: ${idleMs / 1000} s after the last one was ready. Then one photo goes through all of them.`,
        'An image is its base (docker/Dockerfile names it), and one layer of the size of the folder. MB are millions of bytes.',
        'Start to ready is of the time in which the machine ran: a virtual machine that stands still for more than 50 ms at a time does not count.',
      ],
    };
  },
};

function figuresOf(app: AppName, samples: readonly Sample[]): Figure[] {
  const memory = small.includes(app) ? { atMost: 110 } : undefined;
  const rss = (pick: (sample: Sample) => number) => samples.map((sample) => pick(sample) / megabyte);
  return [
    alone(
      `${app}: start to ready, ms`,
      samples.map(({ readyMs }) => readyMs),
      { atMost: 600 },
    ),
    alone(
      `${app}: CPU until ready, ms`,
      samples.map(({ cpuMs }) => cpuMs),
    ),
    alone(
      `${app}: RSS when ready, MB`,
      rss(({ readyRss }) => readyRss),
      memory,
    ),
    alone(
      `${app}: RSS when idle, MB`,
      rss(({ idleRss }) => idleRss),
      memory,
    ),
    alone(
      `${app}: RSS after one request, MB`,
      rss(({ usedRss }) => usedRss),
    ),
  ];
}

async function sizesOf(app: AppName): Promise<Figure[]> {
  const folder = fileURLToPath(new URL(`../../../../out/${app}`, import.meta.url));
  const sizeOf = async (name: string) => (await stat(`${folder}/${name}`)).size / 1000;
  return [
    alone(`${app}: bundle, kB`, [await sizeOf('bundle.cjs')]),
    alone(`${app}: compiled beforehand, kB`, [await sizeOf('bundle.cache')]),
    alone(`${app}: folder in the image, MB`, [(await folderBytes(folder)) / megabyte]),
  ];
}

/** Redis, a bucket and a model API, and what the apps are told of them. */
async function withOutside(
  { redisBinary: binary, path }: BenchOptions,
  use: (env: Environment) => Promise<void>,
): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const redis = await startRedis({ binary });
    stops.push(async () => await redis.stop());
    const bucket = await startBucket();
    stops.push(async () => await bucket.stop());
    const simulator = await startModelApiSimulator({ seed: 1, latency });
    stops.push(async () => await simulator.stop());
    await use({
      PATH: path,
      REDIS_URL: redis.url,
      REDIS_PREFIX: '{bunri-start}',
      ...bucket.env,
      OPENAI_API_KEY: 'sk-simulator',
      OPENAI_BASE_URL: simulator.baseUrl,
      HOST: '127.0.0.1',
      DEMO: 'true',
    });
  } finally {
    await stopAll(stops);
  }
}

async function startAll(env: Environment, round: number): Promise<Map<AppName, Sample>> {
  const pods = await readPods();
  const running = new Map<AppName, ColdStart>();
  try {
    for (const app of appNames) running.set(app, await startCold(app, { ...env, ...pods.get(app)?.env }));
    await delay(idleMs);
    const idle = await memoryOf(running);
    await answerOne(running.get('api')?.url ?? '', round);
    const used = await memoryOf(running);
    return new Map(
      [...running].map(([app, { readyMs, cpuMs, readyRss }]) => [
        app,
        { readyMs, cpuMs, readyRss, idleRss: idle.get(app) ?? 0, usedRss: used.get(app) ?? 0 },
      ]),
    );
  } finally {
    await allStopped([...running.values()].map(async (app) => await app.stop()));
  }
}

async function memoryOf(running: ReadonlyMap<AppName, ColdStart>): Promise<Map<AppName, number>> {
  return new Map(
    await Promise.all([...running].map(async ([app, { pid }]) => [app, await rssOf(pid)] satisfies [AppName, number])),
  );
}

/** Sends a photo that nobody has sent before. @throws when it is not answered completely. */
async function answerOne(apiUrl: string, round: number): Promise<void> {
  const photo = await drawSamplePhoto({ width: 1152, height: 868, seed: round + 1 });
  const { headers, body } = formBody({ question: 'Do I have to take the label off?', locale: 'en' }, photo);
  const response = await fetch(`${apiUrl}/v1/classifications`, {
    method: 'POST',
    headers: { ...headers, prefer: 'wait=30' },
    body: new Uint8Array(body),
  });
  const { status } = (await response.json()) as { status?: string };
  if (status !== 'completed') throw new Error(`the photo was not answered: ${response.status} ${status ?? ''}`);
}
