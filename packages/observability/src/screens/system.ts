import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { writeZip } from '@bunri/batches/zip-fixture';
import { startSystem, type BunriSystem } from '@bunri/cli/system';
import { createBatchClient } from '@bunri/client';
import { drawSamplePhoto, startModelApiSimulator, type ModelApiSimulator } from '@bunri/testkit';
import { archive, createOwners, hasty, type Owner } from './owners.ts';
import type { Hands } from './phases.ts';
import { startPricedApi } from './priced-api.ts';

export interface ObservedSystem {
  readonly apiUrl: string;
  /** `host:port` of every process. */
  readonly targets: readonly string[];
  readonly owners: readonly Owner[];
  readonly webhookUrl: string;
  readonly hands: Hands;
  stop(): Promise<void>;
}

/** Photos of a batch, none of which anybody else sends. */
const firstBatchSeed = 1_000_000;
/** One in so many webhooks is not taken at first. */
const refusedWebhook = 6;
const replacedAfterMs = 4_000;

/** Takes webhooks on loopback. */
async function startReceiver(): Promise<{ port: number; close: () => Promise<void> }> {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    count += 1;
    response.writeHead(count % refusedWebhook === 0 ? 503 : 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function ownerNamed(owners: readonly Owner[], name: string): Owner {
  const owner = owners.find((one) => one.name === name);
  if (!owner) throw new Error(`nobody is called ${name}`);
  return owner;
}

function handsOf(system: BunriSystem, simulator: ModelApiSimulator, owners: readonly Owner[]): Hands {
  return {
    setFaults: (plan) => simulator.setFaults(plan),
    setLimits: (limits) => simulator.setLimits(limits),
    async handInBatch(photos) {
      const files = Array.from({ length: photos }, async (_, index) => ({
        name: `${index}.jpg`,
        bytes: await drawSamplePhoto({ width: 320, height: 240, seed: firstBatchSeed + index }),
      }));
      const zip = new Blob([Uint8Array.from(writeZip(await Promise.all(files)))]);
      const client = createBatchClient({ baseUrl: system.apiUrl, apiKey: ownerNamed(owners, archive).apiKey });
      await client.create(zip, 'application/zip', { terms: { question: 'How is this thrown away?', locale: 'en' } });
    },
    async poll(perSecond, seconds) {
      const headers = { authorization: `Bearer ${ownerNamed(owners, hasty).apiKey}` };
      for (let asked = 0; asked < perSecond * seconds; asked += 1) {
        const answer = await fetch(`${system.apiUrl}/v1/classifications?limit=1`, { headers });
        await answer.body?.cancel();
        await delay(1000 / perSecond);
      }
    },
    async killWorker() {
      await system.apps.get('llm-worker')?.stop('SIGKILL');
      await delay(replacedAfterMs);
      await system.restart('llm-worker');
    },
  };
}

/**
 * The whole of bunri on this machine, a worker of the local model included, with settings under which everything that the
 * dashboards show may happen.
 */
export async function startObservedSystem(env: Readonly<Record<string, string | undefined>>): Promise<ObservedSystem> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const release of stops.splice(0).toReversed()) await release();
  };
  try {
    return await start(env, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  env: Readonly<Record<string, string | undefined>>,
  stops: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<ObservedSystem> {
  const receiver = await startReceiver();
  stops.push(receiver.close);
  const simulator = await startModelApiSimulator({ seed: 1, latency: { vision: [700, 1_300], answer: [400, 800] } });
  stops.push(async () => await simulator.stop());
  const priced = await startPricedApi(simulator.baseUrl);
  stops.push(priced.close);
  const { owners, setting } = createOwners();
  const system = await startSystem({
    env: {
      PATH: env['PATH'],
      REDIS_SERVER_BIN: env['REDIS_SERVER_BIN'],
      OPENAI_API_KEY: 'sk-simulator',
      OPENAI_BASE_URL: priced.baseUrl,
      API_KEYS: setting,
      RATE_LIMIT_PER_MINUTE: '180',
      SPENDING_CAP_USD_PER_DAY: '5',
      SPENDING_CAP_USD_PER_OWNER: '1',
      WEBHOOK_SECRET_KEY: randomBytes(32).toString('base64'),
      ALLOW_HTTP_WEBHOOKS: 'true',
      WEBHOOK_ADDRESSES: '127.0.0.1',
      WEBHOOK_PORTS: String(receiver.port),
    },
    local: true,
  });
  stops.push(async () => await system.stop());
  const origins = [...system.probes.values(), ...(system.localWorker?.url ? [system.localWorker.url] : [])];
  return {
    apiUrl: system.apiUrl,
    targets: origins.map((origin) => new URL(origin).host),
    owners,
    webhookUrl: `http://127.0.0.1:${receiver.port}/`,
    hands: handsOf(system, simulator, owners),
    stop,
  };
}
