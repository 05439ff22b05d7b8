// A process of the bench: serves one stage, or submits requests, as its parent says over IPC.
import type { StageName } from '@bunri/queue-contracts';
import { Redis } from 'ioredis';
import { cpuSeconds } from './measure.ts';
import { createClient, serveNoop, type Client, type Connection, type Variant } from './variant.ts';

/** What the parent asks; every question is answered by one message. */
export type Ask =
  | { ask: 'serve'; variant: Variant; stage: StageName; connection: Connection }
  | { ask: 'connect'; variant: Variant; connection: Connection }
  | { ask: 'throughput'; count: number; inFlight: number }
  | { ask: 'latency'; count: number }
  | { ask: 'counters' };

export type Answer = { ok: true; value: unknown } | { ok: false; message: string };

/** What a process has used since its start. */
export interface ProcessCounters {
  readonly cpuSeconds: number;
  /** Redis commands that it has sent, over all of its connections. */
  readonly commands: number;
}

let client: Client | undefined;
let commands = 0;

// Counted where they are sent: the server's own counters do not tell a client's commands from those of its scripts.
const send = Reflect.get(Redis.prototype, 'sendCommand') as (this: Redis, ...args: unknown[]) => unknown;
Redis.prototype.sendCommand = function count(...args) {
  commands += 1;
  return send.apply(this, args);
};

async function answer(message: Ask): Promise<unknown> {
  switch (message.ask) {
    case 'serve':
      return await serveNoop(message.variant, message.stage, message.connection);
    case 'connect':
      client = await createClient(message.variant, message.connection);
      return undefined;
    case 'throughput':
      return await throughput(connected(), message.count, message.inFlight);
    case 'latency':
      return await latency(connected(), message.count);
    case 'counters':
      return { cpuSeconds: cpuSeconds(), commands } satisfies ProcessCounters;
  }
}

function connected(): Client {
  if (!client) throw new Error('connect first');
  return client;
}

/** Seconds from the first submission to the last completion. */
async function throughput(target: Client, count: number, inFlight: number): Promise<number> {
  const before = await target.ended();
  const startedAt = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (left > 0) {
        left -= 1;
        await target.submit();
      }
    }),
  );
  while ((await target.ended()) - before < count) await new Promise((resolve) => setTimeout(resolve, 5));
  return (performance.now() - startedAt) / 1000;
}

async function latency(target: Client, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) times.push(await target.roundTrip());
  return times;
}

process.on('message', (message) => {
  answer(message as Ask).then(
    (value) => process.send?.({ ok: true, value } satisfies Answer),
    (error: unknown) => process.send?.({ ok: false, message: String(error) } satisfies Answer),
  );
});
process.on('disconnect', () => process.exit(0));
