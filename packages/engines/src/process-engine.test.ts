import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLogger, createMetrics, type Metrics } from '@bunri/runtime';
import { patienceMs, startProcess, watchMachine } from '@bunri/testkit';
import { processEngine, type ProcessEngineOptions } from './process-engine.ts';
import type { InferenceEngine } from './engine.ts';
import { openGate, type Gate } from './toy-gate.ts';
import type { ToyTask, ToyValue } from './toy-predictor.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const never = new AbortController().signal;

let metrics: Metrics;
let engines: InferenceEngine<ToyTask, ToyValue>[];
let gate: Gate;
beforeEach(async () => {
  metrics = createMetrics({ app: 'test', processMetrics: false });
  engines = [];
  gate = await openGate();
});
afterEach(async () => {
  gate.open();
  await Promise.all(engines.map(async (engine) => await engine.unload()));
  await gate.close();
});

function toy(changes: Partial<ProcessEngineOptions> = {}) {
  const engine = processEngine<ToyTask, ToyValue>({
    model: 'toy',
    module: new URL('toy-predictor.ts', import.meta.url),
    maxOldSpaceMb: 64,
    timeoutMs: patienceMs,
    metrics,
    log,
    ...changes,
  });
  engines.push(engine);
  return async (task: ToyTask | ToyTask['do'], signal = never) => {
    const [said] = await engine.predict([typeof task === 'string' ? ({ do: task } as ToyTask) : task], { signal });
    if (!said) throw new Error('no prediction');
    return said.value;
  };
}

/** Resolves when the process is gone. */
async function goneOf(pid: number): Promise<void> {
  const giveUp = AbortSignal.timeout(patienceMs);
  while (!giveUp.aborted) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`process ${pid} is still there`);
}

const deaths = async () =>
  (await metrics.localDeaths.get()).values.flatMap(({ labels, value }) => (value > 0 ? [[labels.reason, value]] : []));

test('tasks that come together go in one batch, as bytes, and each caller gets the value of its own', async () => {
  const ask = toy({ env: { GIVEN: 'this' } });
  const values = await Promise.all(
    [1, 2, 3].map(async (n) => await ask({ do: 'tell', bytes: Uint8Array.of(n, 10 * n) })),
  );
  expect(values.map(({ sum }) => sum)).toEqual([11, 22, 33]);
  expect(values.map(({ batchSize }) => batchSize)).toEqual([3, 3, 3]);
  // Nothing of this process's own environment is passed on.
  expect(values[0]?.env).toEqual(['GIVEN']);
  const { pid } = values[0] ?? { pid: 0 };
  expect(pid).not.toBe(process.pid);
});

test('a prediction says that a local model made it, and that it cost no tokens', async () => {
  toy();
  const [said] = (await engines[0]?.predict([{ do: 'tell' }], { signal: never })) ?? [];
  expect(said).toMatchObject({ engine: { provider: 'local', model: 'toy' }, tokens: { input: 0, output: 0 } });
});

test('one batch runs at a time, and what comes meanwhile goes together in the next', async () => {
  const ask = toy();
  const held = gate.held();
  const first = ask(gate.hold);
  await held;
  const later = [ask('tell'), ask('tell'), ask('tell')];
  let settled = false;
  void Promise.race(later).then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  gate.open();
  expect((await first).batchSize).toBe(1);
  expect((await Promise.all(later)).map(({ batchSize }) => batchSize)).toEqual([3, 3, 3]);
});

test('a task that fails, or that the model refuses, fails alone in its batch', async () => {
  const ask = toy();
  const [told, failed, refused] = await Promise.allSettled([ask('tell'), ask('fail'), ask('refuse')]);
  expect(told).toMatchObject({ status: 'fulfilled' });
  expect(failed).toMatchObject({ reason: { name: 'TransientError', code: 'internal_error' } });
  expect(refused).toMatchObject({
    reason: { name: 'PermanentError', code: 'image_undecodable', message: 'Send another picture.' },
  });
});

test('an abort takes a waiting task out of the line and abandons a running one, and others get their values', async () => {
  const ask = toy();
  const held = gate.held();
  const [running, waiting] = [new AbortController(), new AbortController()];
  const first = ask(gate.hold, running.signal);
  await held;
  const [second, third] = [ask('crash', waiting.signal), ask('tell')];
  running.abort(new Error('canceled'));
  waiting.abort(new Error('late'));
  await expect(first).rejects.toThrow('canceled');
  await expect(second).rejects.toThrow('late');
  gate.open();
  expect((await third).batchSize).toBe(1);
  expect(await deaths()).toEqual([]);
});

test('a signal to the whole group, such as Ctrl-C, leaves the answers in flight to the parent', async () => {
  const ask = toy();
  const { pid } = await ask('tell');
  const held = gate.held();
  const task = ask(gate.hold);
  await held;
  process.kill(pid, 'SIGINT');
  process.kill(pid, 'SIGTERM');
  gate.open();
  expect((await task).pid).toBe(pid);
});

test('a crash is transient; a new process takes the next task, and those that died together come again alone', async () => {
  const ask = toy();
  const before = await ask('tell');
  const died = await Promise.allSettled([ask('tell'), ask('crash')]);
  for (const end of died) expect(end).toMatchObject({ reason: { name: 'TransientError', code: 'model_unavailable' } });
  const again = await Promise.all([ask('tell'), ask('tell'), ask('tell'), ask('tell')]);
  expect(again.map(({ batchSize }) => batchSize)).toEqual([1, 1, 2, 2]);
  expect(again[0]?.pid).not.toBe(before.pid);
  expect(await deaths()).toEqual([['crashed', 1]]);
});

test.each<[string, ToyTask['do']]>([
  ["V8's heap limit", 'fill the heap'],
  ['a buffer that is too large', 'ask for too much'],
])('a want of memory is transient and told as such: %s', async (_what, what) => {
  const ask = toy({ maxOldSpaceMb: 32 });
  await expect(ask(what)).rejects.toMatchObject({ name: 'TransientError', code: 'engine_out_of_memory' });
  expect((await ask('tell')).batchSize).toBe(1);
});

test('a process that the kernel kills counts as out of memory', async () => {
  const ask = toy();
  const { pid } = await ask('tell');
  const held = gate.held();
  const task = ask(gate.hold);
  await held;
  process.kill(pid, 'SIGKILL');
  await expect(task).rejects.toMatchObject({ name: 'TransientError', code: 'engine_out_of_memory' });
  expect(await deaths()).toEqual([['out_of_memory', 1]]);
  expect((await ask('tell')).pid).not.toBe(pid);
});

test('the kernel that wants memory takes the model rather than the worker', async () => {
  const { pid } = await toy()('tell');
  const scores = [pid, process.pid].map((id) => `/proc/${id}/oom_score_adj`);
  // Linux alone keeps such scores.
  const [model, worker] = scores.map((file) => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined));
  expect(model).toBe(process.platform === 'linux' ? 1_000 : undefined);
  expect(worker).not.toBe(1_000);
});

test('the event loop of the parent stays alive while the model computes', async () => {
  const ask = toy();
  await ask('tell');
  const machine = await watchMachine();
  const beats = [Date.now()];
  const beat = setInterval(() => beats.push(Date.now()), 5);
  try {
    await ask({ do: 'spin', ms: 2_000 });
  } finally {
    clearInterval(beat);
    beats.push(Date.now());
  }
  const gaps = await Promise.all(beats.slice(1).map(async (at, i) => await machine.ranMs(beats[i] ?? 0, at)));
  await machine.stop();
  expect(gaps.length).toBeGreaterThan(10);
  expect(Math.max(...gaps)).toBeLessThan(200);
});

test('a batch that takes too long is ended with its process', async () => {
  const ask = toy({ timeoutMs: 2_000 });
  const { pid } = await ask('tell');
  await expect(ask({ do: 'spin', ms: 60_000 })).rejects.toMatchObject({
    name: 'TransientError',
    code: 'model_timeout',
  });
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect((await ask('tell')).pid).not.toBe(pid);
  expect(await deaths()).toEqual([['timeout', 1]]);
});

test('unloading lets what was asked come to its end, and who comes meanwhile gets a new process', async () => {
  const ask = toy();
  const { pid } = await ask('tell');
  const held = gate.held();
  const [running, waiting] = [ask(gate.hold), ask('tell')];
  await held;
  const unloaded = engines[0]?.unload();
  const [later, given] = [ask('tell'), new AbortController()];
  const impatient = ask('tell', given.signal);
  given.abort(new Error('canceled'));
  await expect(impatient).rejects.toThrow('canceled');
  gate.open();
  expect((await Promise.all([running, waiting])).map((value) => value.pid)).toEqual([pid, pid]);
  await unloaded;
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect((await later).pid).not.toBe(pid);
  expect(await deaths()).toEqual([]);
});

test('unloading does not wait for a batch that nobody wants any more', async () => {
  const ask = toy();
  const { pid } = await ask('tell');
  const held = gate.held();
  const given = new AbortController();
  const task = ask(gate.hold, given.signal);
  await held;
  given.abort(new Error('canceled'));
  await expect(task).rejects.toThrow('canceled');
  await engines[0]?.unload();
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a model is loaded once for all who ask, and says what it holds while it is loaded', async () => {
  const ask = toy();
  const [engine] = engines;
  expect(engine?.memoryBytes()).toBe(0);
  await Promise.all([engine?.load(), engine?.load(), ask('tell')]);
  expect(engine?.memoryBytes()).toBe(4_096);
  await engine?.unload();
  expect(engine?.memoryBytes()).toBe(0);
  expect(await metrics.registry.metrics()).toMatch(/bunri_local_model_load_seconds_count\{[^}]*model="toy"[^}]*\} 1\n/);
  expect(await metrics.registry.metrics()).toMatch(/bunri_local_batch_size_sum\{[^}]*model="toy"[^}]*\} 1\n/);
  expect(await metrics.registry.metrics()).toMatch(/bunri_local_inference_seconds_count\{[^}]*model="toy"[^}]*\} 1\n/);
});

test('loads and deaths are counted from 0 on, so that the first of each is seen as a rise', async () => {
  toy();
  const { values } = await metrics.localDeaths.get();
  expect(values.map(({ labels, value }) => [labels.model, labels.reason, value])).toEqual([
    ['toy', 'out_of_memory', 0],
    ['toy', 'timeout', 0],
    ['toy', 'crashed', 0],
  ]);
  expect(await metrics.registry.metrics()).toMatch(/bunri_local_model_load_seconds_count\{[^}]*model="toy"[^}]*\} 0\n/);
});

test('a model that cannot be loaded is left alone for longer and longer, and tried again then', async () => {
  let clock = 0;
  const ask = toy({ args: ['badly'], now: () => clock });
  const code = 'model_unavailable';
  await expect(ask('tell')).rejects.toMatchObject({ code, cause: { message: 'Error: no weights ' } });
  await expect(ask('tell')).rejects.toMatchObject({ code });
  await expect(ask('tell')).rejects.toMatchObject({ code, message: expect.stringContaining('in 1 seconds') });
  expect(await deaths()).toEqual([['crashed', 2]]);
  clock += 1_000;
  await expect(ask('tell')).rejects.toMatchObject({ code });
  await expect(ask('tell')).rejects.toMatchObject({ message: expect.stringContaining('in 2 seconds') });
  expect(await deaths()).toEqual([['crashed', 3]]);
});

test.each<[string, Partial<ProcessEngineOptions>]>([
  ['that is not there', { module: new URL('no-such-predictor.ts', import.meta.url) }],
  ['that never ends loading', { args: ['never'], loadTimeoutMs: 300 }],
  ['that does not say what it holds', { args: ['empty'] }],
])('a model %s is unavailable', async (_what, changes) => {
  await expect(toy(changes)('tell')).rejects.toMatchObject({ name: 'TransientError', code: 'model_unavailable' });
});

test('the process of a model ends when its parent is killed', async () => {
  const line = Promise.withResolvers<string>();
  const parent = await startProcess({
    name: 'toy parent',
    args: [fileURLToPath(new URL('toy-parent.ts', import.meta.url))],
    env: {},
    onLine: line.resolve,
  });
  const pid = Number(await line.promise);
  expect(pid).toBeGreaterThan(1);
  process.kill(pid, 0);
  await parent.stop('SIGKILL');
  await goneOf(pid);
});
