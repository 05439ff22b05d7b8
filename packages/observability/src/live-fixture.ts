// The whole system with a history: answers, cache hits, a retry, a failure of each kind, and a look of the scheduler.
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { startSystem, type BunriSystem } from '@bunri/cli/system';
import { isTerminal, type Resource } from '@bunri/queue-contracts';
import { closeRedis, connectConsumer, createLogger } from '@bunri/runtime';
import { drawSamplePhoto, truncatedJpeg, patienceMs } from '@bunri/testkit';

export interface LiveSystem {
  readonly system: BunriSystem;
  /** `host:port` of every app. */
  readonly targets: readonly string[];
  /** What every app shows at `/metrics`. */
  readonly pages: () => Promise<string[]>;
}

async function submit(apiUrl: string, photo: Uint8Array, question: string): Promise<Resource> {
  const form = new FormData();
  form.set('question', question);
  form.set('locale', 'en');
  form.set('image', new Blob([Uint8Array.from(photo)]), 'photo.jpg');
  const answer = await fetch(`${apiUrl}/v1/classifications`, { method: 'POST', body: form });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Resource;
}

async function ended(apiUrl: string, { id }: Resource): Promise<Resource> {
  const giveUp = AbortSignal.timeout(patienceMs);
  for (;;) {
    const resource = (await (await fetch(`${apiUrl}/v1/classifications/${id}`)).json()) as Resource;
    if (isTerminal(resource.status)) return resource;
    giveUp.throwIfAborted();
    await delay(50);
  }
}

/** Sends it and waits for its end. */
async function ask(system: BunriSystem, photo: Uint8Array, question: string): Promise<Resource> {
  return await ended(system.apiUrl, await submit(system.apiUrl, photo, question));
}

/** Runs what the scheduler does each minute now, and waits until it has told of it. */
async function lookNow({ redis, probes }: BunriSystem): Promise<void> {
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const connection = connectConsumer({ url: redis.url, name: 'test', log });
  const watch = new Queue('watch', { connection, prefix: redis.prefix });
  try {
    const due = await watch.getDelayed();
    const tasks = due.map(({ name }) => name);
    for (const job of due) await job.promote();
    const giveUp = AbortSignal.timeout(patienceMs);
    const shown = async () => await (await fetch(`${probes.get('scheduler')}/metrics`)).text();
    const hasRun = (page: string) => (task: string) =>
      new RegExp(`^bunri_schedule_runs_total\\{task="${task}",outcome="completed".*\\} [1-9]`, 'm').test(page);
    while (!tasks.every(hasRun(await shown()))) {
      giveUp.throwIfAborted();
      await delay(50);
    }
  } finally {
    await watch.close();
    await closeRedis(connection);
  }
}

/** Starts it. The history is made by `live`, so that somebody may watch it from the start and stop in the middle of it. */
export async function startLiveSystem(): Promise<
  LiveSystem & { readonly live: (inTheMiddle: () => Promise<void>) => Promise<void> }
> {
  const system = await startSystem({
    env: {
      PATH: process.env['PATH'],
      REDIS_SERVER_BIN: process.env['REDIS_SERVER_BIN'],
      RATE_LIMIT_PER_MINUTE: '1000000',
      LLM_FALLBACKS: 'none',
      SPENDING_CAP_USD_PER_DAY: '100',
      SPENDING_CAP_USD_PER_OWNER: '50',
    },
    latency: { vision: [20, 60], answer: [20, 60] },
  });
  const { simulator } = system;
  if (!simulator) throw new Error('the system has no simulator');
  return {
    system,
    targets: [...system.probes.values()].map((origin) => new URL(origin).host),
    pages: async () =>
      await Promise.all(
        [...system.probes.values()].map(async (origin) => await (await fetch(`${origin}/metrics`)).text()),
      ),
    async live(inTheMiddle) {
      const photo = await drawSamplePhoto({ width: 160, height: 120, seed: 1 });
      simulator.setFaults([{ fault: 'server_error', kind: 'vision', times: 1 }]);
      const retried = await ask(system, photo, 'first');
      await inTheMiddle();
      // A cache hit of the whole answer, and one of the stages up to rag.
      await ask(system, photo, 'first');
      await ask(system, photo, 'second');
      await ask(system, await drawSamplePhoto({ width: 160, height: 120, seed: 3 }), 'second');
      const undecodable = await ask(system, await truncatedJpeg(), 'third');
      simulator.setFaults([{ fault: 'bad_request', kind: 'answer', times: 1 }]);
      const failed = await ask(system, await drawSamplePhoto({ width: 160, height: 120, seed: 2 }), 'fourth');
      const ends = [retried, undecodable, failed].map(({ status, error }) => error?.code ?? status);
      if (ends.join() !== 'completed,image_undecodable,model_request_rejected')
        throw new Error(`the history is another one: ${ends.join()}`);
      await lookNow(system);
    },
  };
}
