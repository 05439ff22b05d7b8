// A process of the bench: serves one stage, or submits requests, as its parent says over IPC.
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { StageName } from '@bunri/queue-contracts';
import { createSubmitter, type Submitter } from './submitter.ts';
import { serveNoop, type Connection, type Variant } from './variant.ts';

/** What the parent asks; every question is answered by one message. */
export type Ask =
  | { ask: 'serve'; variant: Variant; stage: StageName; connection: Connection }
  | { ask: 'connect'; variant: Variant; connection: Connection }
  | { ask: 'throughput'; count: number; inFlight: number }
  | { ask: 'completed' }
  | { ask: 'latency'; count: number }
  | { ask: 'commands' };

export type Answer = { ok: true; value: unknown } | { ok: false; message: string };

/** How often the end is looked for, once all is submitted. */
const lookMs = 25;
const endTimeoutMs = 120_000;

let submitter: Submitter | undefined;
/** Of the last round of throughput. */
let submitted: string[] = [];
/** Over all of the process's connections. */
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
      submitter = await createSubmitter(message.variant, message.connection);
      return undefined;
    case 'throughput':
      return await throughput(connected(), message.count, message.inFlight);
    case 'completed':
      return await connected().completed(submitted);
    case 'latency':
      return await latency(connected(), message.count);
    case 'commands':
      return commands;
  }
}

function connected(): Submitter {
  if (!submitter) throw new Error('connect first');
  return submitter;
}

/** From the first submission to the last end. @throws when not all have ended in time. */
async function throughput(target: Submitter, count: number, inFlight: number): Promise<void> {
  const before = await target.ended();
  let left = count;
  submitted = [];
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (left > 0) {
        left -= 1;
        submitted.push(await target.submit());
      }
    }),
  );
  const giveUpAt = performance.now() + endTimeoutMs;
  for (;;) {
    const ended = (await target.ended()) - before;
    if (ended >= count) return;
    if (performance.now() > giveUpAt) {
      throw new Error(`only ${ended} of ${count} requests ended within ${endTimeoutMs} ms after the last was sent`);
    }
    await delay(lookMs);
  }
}

async function latency(target: Submitter, count: number): Promise<number[]> {
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
