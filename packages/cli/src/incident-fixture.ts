// The whole system as processes with the simulator, and what the tests of incidents watch it by.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { resourceSchema, type Resource } from '@bunri/queue-contracts';
import { connectConsumer, createKeys, createLogger, createStorage } from '@bunri/runtime';
import { drawSamplePhoto, type ModelApiSimulator } from '@bunri/testkit';
import { startSystem, type AppName, type BunriSystem } from './system.ts';

interface SentEvent {
  readonly id: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

interface Submission {
  /** Default: a small one, the same each time; the question tells requests apart. */
  readonly photo?: Uint8Array;
  /** Default: that of the api. */
  readonly deadlineS?: number;
  readonly headers?: Record<string, string>;
  /** Of another api process. */
  readonly apiUrl?: string;
}

export interface Client {
  post(question: string, submission?: Submission, signal?: AbortSignal): Promise<Response>;
  /** The id of an accepted request. */
  submit(question: string, submission?: Submission): Promise<string>;
  read(id: string): Promise<Resource>;
  cancel(id: string): Promise<void>;
  /** Every event of the request, read over one connection until the server ends it. */
  follow(id: string, onEvent?: (event: SentEvent) => void, signal?: AbortSignal): Promise<SentEvent[]>;
}

export interface IncidentSystem {
  readonly system: BunriSystem;
  readonly simulator: ModelApiSimulator;
  readonly client: Client;
  /** Names of the connections that Redis has, and the channels that somebody subscribes. */
  readonly connections: () => Promise<string[]>;
  readonly channels: () => Promise<string[]>;
  /** How many requests have not ended. */
  readonly open: () => Promise<number>;
  /** Ids of all requests that the store knows. */
  readonly requestIds: () => Promise<string[]>;
  /** Keys of the bucket's uploads. */
  readonly uploads: () => Promise<string[]>;
  /** The sum of a metric's values in an app, over its series that have all the labels. */
  readonly metric: (app: AppName, name: string, labels?: Record<string, string>) => Promise<number>;
  /** Nothing is open, the models answer again, and no breaker remembers that they did not. */
  readonly calm: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export async function startIncidentSystem(): Promise<IncidentSystem> {
  const system = await startSystem({
    // A Redis of its own, whose connections are counted.
    env: {
      PATH: process.env['PATH'],
      REDIS_SERVER_BIN: process.env['REDIS_SERVER_BIN'],
      RATE_LIMIT_PER_MINUTE: '1000000',
      LLM_FALLBACKS: 'none',
    },
    latency: { vision: [20, 60], answer: [20, 60] },
  });
  const { simulator, apiUrl, probes } = system;
  if (!simulator) throw new Error('the system has no simulator');
  const keys = createKeys(system.redis.prefix);
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const redis = connectConsumer({ url: system.redis.url, name: 'test', log });
  await redis.ping();
  const access = { accessKeyId: 'test', secretAccessKey: 'test' };
  const storage = createStorage({ ...system.s3, ...access, region: 'us-east-1' });
  const client = createClient(apiUrl, await drawSamplePhoto({ width: 160, height: 120, seed: 77 }));
  return {
    system,
    simulator,
    client,
    async connections() {
      const list = String(await redis.client('LIST'));
      return Array.from(list.matchAll(/ name=(\S*)/g), ([, name = '']) => name).toSorted();
    },
    channels: async () => ((await redis.pubsub('CHANNELS', '*')) as string[]).toSorted(),
    open: async () => await redis.zcard(keys.deadlines),
    requestIds: async () =>
      (await redis.keys(keys.record('*'))).flatMap((key) => /:request:(req_[0-9a-f]+)$/.exec(key)?.[1] ?? []),
    async uploads() {
      const found: string[] = [];
      for await (const page of storage.list('uploads/')) found.push(...page.map(({ key }) => key));
      return found;
    },
    async metric(app, name, labels = {}) {
      const text = await (await fetch(`${probes.get(app)}/metrics`)).text();
      return text.split('\n').reduce((sum, line) => {
        const [, series, given = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
        const fits = series === name && Object.entries(labels).every(([key, of]) => given.includes(`${key}="${of}"`));
        return fits ? sum + Number(value) : sum;
      }, 0);
    },
    async calm() {
      simulator.setFaults([]);
      const left = await redis.zrange(keys.deadlines, 0, '-1');
      await Promise.all(left.map(async (id) => await client.cancel(id)));
      const breakers = await redis.keys(keys.breaker('*'));
      if (breakers.length > 0) await redis.unlink(...breakers);
    },
    async stop() {
      storage.close();
      redis.disconnect();
      await system.stop();
    },
  };
}

function createClient(apiUrl: string, defaultPhoto: Uint8Array): Client {
  const path = '/v1/classifications';

  async function post(question: string, submission: Submission = {}, signal?: AbortSignal): Promise<Response> {
    const { photo = defaultPhoto, deadlineS, headers = {} } = submission;
    const body = new FormData();
    body.set('question', question);
    body.set('locale', 'en');
    if (deadlineS !== undefined) body.set('deadline', String(deadlineS));
    body.set('image', new Blob([Uint8Array.from(photo)]), 'photo.jpg');
    // One that is repeated is the same request.
    const keyed = { 'idempotency-key': randomUUID(), ...headers };
    const url = `${submission.apiUrl ?? apiUrl}${path}`;
    return await patientFetch(url, { method: 'POST', body, headers: keyed, ...(signal ? { signal } : {}) });
  }

  return {
    post,
    submit: async (question, submission) => resourceSchema.parse(await jsonOf(await post(question, submission))).id,
    read: async (id) => resourceSchema.parse(await jsonOf(await patientFetch(`${apiUrl}${path}/${id}`))),
    async cancel(id) {
      await jsonOf(await patientFetch(`${apiUrl}${path}/${id}/cancel`, { method: 'POST' }));
    },
    async follow(id, onEvent = () => undefined, signal) {
      const answer = await patientFetch(`${apiUrl}${path}/${id}/events`, signal ? { signal } : {});
      if (!answer.ok || !answer.body) throw new Error(`no events: ${answer.status} ${await answer.text()}`);
      return await readEvents(answer.body, onEvent);
    },
  };
}

/** Repeats what is answered by 503, as a client does: on a machine that stands still for a second Redis cannot be reached. */
async function patientFetch(url: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const answer = await fetch(url, init);
    if (answer.status !== 503) return answer;
    await delay(200);
  }
}

async function jsonOf(answer: Response): Promise<unknown> {
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return await answer.json();
}

async function readEvents(body: AsyncIterable<Uint8Array>, onEvent: (event: SentEvent) => void): Promise<SentEvent[]> {
  const events: SentEvent[] = [];
  const parser = createParser({
    onEvent({ id = '', event: type = 'message', data }: EventSourceMessage) {
      const event = { id: Number(id), type, data: JSON.parse(data) as Record<string, unknown> };
      events.push(event);
      onEvent(event);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of body) parser.feed(decoder.decode(chunk, { stream: true }));
  return events;
}

/** How long the chart lets an app's probe take, ms. */
export async function probeTimeoutMs(probe: 'livenessProbe' | 'readinessProbe'): Promise<number> {
  const template = await readFile(new URL('../../../helm/bunri/templates/_pod.tpl', import.meta.url), 'utf8');
  const block = template.slice(template.indexOf(`${probe}:`));
  return Number(/timeoutSeconds: (\d+)/.exec(block)?.[1]) * 1000;
}

export async function times<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: count }, async (_value, index) => await make(index)));
}
