import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  closeRedis,
  connectConsumer,
  createLogger,
  createMetrics,
  createModelBudget,
  RateLimitedError,
  type AdmittedCall,
  type ModelBudget,
  type ModelLimits,
} from '@bunri/runtime';
import { patienceMs, startModelApiSimulator, type ModelApiSimulator } from '@bunri/testkit';
import { z } from 'zod';
import { openAiEngine } from './openai.ts';
import { createOpenAiClient } from './openai-responses.ts';
import { toldBefore } from './rate-limit-headers.ts';

/** Of these the API grants 90 calls at once, and 15 a second. */
const enforced = { requestsPerMinute: 900, burstSeconds: 6 };
const burst = 110;

let simulator: ModelApiSimulator;
async function startSimulator(limits = enforced) {
  const latency = { vision: [0, 0], answer: [0, 20] } as const;
  simulator = await startModelApiSimulator({ latency, seed: 1, limits });
}
beforeEach(async () => await startSimulator());
afterEach(() => simulator.stop());

const { signal } = new AbortController();

function engine() {
  return openAiEngine({
    client: createOpenAiClient({ apiKey: 'sk-test', baseUrl: simulator.baseUrl, timeoutMs: patienceMs }),
    model: 'gpt-4o-mini',
    buildCall: (text: string) => ({ instructions: 'Answer.', text, schema, schemaName: 'answer' }),
  });
}
const schema = z.object({ answer: z.string() });

/** Two processes, a connection and a budget each. */
async function inTwoProcesses<Result>(
  limits: ModelLimits,
  work: (budgets: readonly ModelBudget[]) => Promise<Result>,
): Promise<Result> {
  const prefix = `{t${randomUUID()}}`;
  const log = createLogger({ app: 'test', level: 'error' });
  const url = process.env['REDIS_URL'] ?? '';
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const connections = ['a', 'b'].map((name) => connectConsumer({ url, name, log }));
  const model = 'simulator/gpt-4o-mini';
  const budgets = connections.map((redis) => createModelBudget({ redis, prefix, model, limits, metrics }));
  try {
    return await work(budgets);
  } finally {
    await connections[0]?.unlink(`${prefix}:model-budget:${model}`);
    await Promise.all(connections.map(closeRedis));
  }
}

/** As often as the budget asks to wait, as a queue does. */
async function admitted(budget: ModelBudget): Promise<AdmittedCall> {
  for (;;) {
    try {
      return await budget.admit({ tokens: 50, signal });
    } catch (error) {
      if (!(error instanceof RateLimitedError)) throw error;
      await delay(error.retryAfterMs);
    }
  }
}

async function callWithin(budget: ModelBudget, text: string): Promise<void> {
  const call = await admitted(budget);
  try {
    const [prediction] = await engine().predict([text], { signal });
    const { input = 0, output = 0 } = prediction?.tokens ?? {};
    await call.settle(input + output, prediction?.told);
  } catch (error) {
    await call.settle(null, toldBefore(error));
    throw error;
  }
}

const statuses = () => simulator.calls().map(({ status }) => status);

test('without a budget a burst beyond the limit is refused in part', async () => {
  await simulator.stop();
  // Few enough that a slow machine goes beyond it, too.
  await startSimulator({ requestsPerMinute: 60, burstSeconds: 6 });
  const calls = Array.from(
    { length: 2 * burst },
    async (_, index) => await engine().predict([String(index)], { signal }),
  );
  await Promise.allSettled(calls);
  expect(statuses().filter((status) => status === 429).length).toBeGreaterThan(5);
});

test('within a budget by the limit that the first answer told no call of the burst is refused, and none is lost', async () => {
  await inTwoProcesses({}, async (budgets) => {
    const [first] = budgets;
    if (!first) throw new Error('there is no budget');
    await callWithin(first, 'first');
    await Promise.all(
      Array.from({ length: burst }, async (_, index) => await callWithin(budgets[index % 2] ?? first, String(index))),
    );
  });
  expect(statuses()).toEqual(Array.from({ length: burst + 1 }, () => 200));
});

test('a limit that others use up as well is found in the headers before it refuses', async () => {
  await inTwoProcesses({ requestsPerMinute: 900 }, async ([budget]) => {
    if (!budget) throw new Error('there is no budget');
    // Of the 90 that the API grants 75 are gone, and the budget knows of none.
    await engine().predict(Array.from({ length: 75 }, String), { signal });
    await callWithin(budget, 'first');
    await Promise.all(Array.from({ length: 40 }, async (_, index) => await callWithin(budget, String(index))));
  });
  expect(statuses().filter((status) => status !== 200)).toEqual([]);
});
