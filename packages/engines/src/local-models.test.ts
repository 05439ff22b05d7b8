import { beforeEach, expect, test } from '@jest/globals';
import { createLogger, createMetrics, type Metrics } from '@bunri/runtime';
import type { InferenceEngine } from './engine.ts';
import { createLocalModels, type LocalModels, type LocalModelsOptions } from './local-models.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const never = new AbortController().signal;

let metrics: Metrics;
let clock: number;
/** What the engines were told, in order. */
let told: string[];
beforeEach(() => {
  metrics = createMetrics({ app: 'test', processMetrics: false });
  clock = 0;
  told = [];
});

const modelsOf = (changes: Partial<LocalModelsOptions> = {}) =>
  createLocalModels<Work, string>({ budgetBytes: 100, idleMs: 60_000, metrics, log, now: () => clock, ...changes });

/** A task that ends when the test says so. */
type Work = Promise<void>;

interface Fake {
  readonly name: string;
  readonly bytes: number;
  readonly expected?: number;
  readonly load?: () => Promise<void>;
}

function add(models: LocalModels<Work, string>, { name, bytes, expected = bytes, load }: Fake) {
  let held = 0;
  const engine: InferenceEngine<Work, string> = {
    model: name,
    load: async () => {
      if (held > 0) return;
      told.push(`load ${name}`);
      await load?.();
      held = bytes;
    },
    predict: async (batch) => {
      await Promise.all(batch);
      return batch.map(() => ({
        value: name,
        engine: { provider: 'local', model: name },
        tokens: { input: 0, cachedInput: 0, output: 0 },
      }));
    },
    unload: async () => {
      told.push(`unload ${name}`);
      await Promise.resolve();
      held = 0;
    },
    memoryBytes: () => held,
  };
  models.register(engine, expected);
  return async (work: Work = Promise.resolve(), signal = never) =>
    (await models.use(name).predict([work], { signal }))[0]?.value;
}

const outOfMemory = { name: 'TransientError', code: 'engine_out_of_memory' };
const tooLarge = { name: 'PermanentError', code: 'engine_too_large' };

test('a model is loaded at its first use, once for all who ask, and stays', async () => {
  const ask = add(modelsOf(), { name: 'a', bytes: 60 });
  expect(told).toEqual([]);
  expect(await Promise.all([ask(), ask()])).toEqual(['a', 'a']);
  await ask();
  expect(told).toEqual(['load a']);
});

test('the model that was used least recently makes room, and the others stay', async () => {
  const models = modelsOf();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => add(models, { name, bytes: 50 }));
  for (const ask of [a, b, a]) {
    clock += 1;
    await ask?.();
  }
  await c?.();
  expect(told).toEqual(['load a', 'load b', 'unload b', 'load c']);
  const text = await metrics.registry.metrics();
  expect(text).toMatch(/bunri_local_models_loaded\{[^}]*model="a"[^}]*\} 1\n/);
  expect(text).toMatch(/bunri_local_models_loaded\{[^}]*model="b"[^}]*\} 0\n/);
  expect(text).toMatch(/bunri_local_model_bytes\{[^}]*model="c"[^}]*\} 50\n/);
  expect(text).toMatch(/bunri_local_model_unloads_total\{[^}]*model="b",why="room"[^}]*\} 1\n/);
});

test('unloads are counted from 0 on, so that the first of each kind is seen as a rise', async () => {
  add(modelsOf(), { name: 'a', bytes: 60 });
  const { values } = await metrics.localUnloads.get();
  expect(values.map(({ labels, value }) => [labels.model, labels.why, value])).toEqual([
    ['a', 'idle', 0],
    ['a', 'room', 0],
    ['a', 'too_large', 0],
    ['a', 'asked', 0],
  ]);
});

test('a model that works is never unloaded for another, which waits for its end', async () => {
  const models = modelsOf();
  const [a, b] = ['a', 'b'].map((name) => add(models, { name, bytes: 60 }));
  const work = Promise.withResolvers<void>();
  const first = a?.(work.promise);
  const second = b?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(['load a']);
  work.resolve();
  expect(await Promise.all([first, second])).toEqual(['a', 'b']);
  expect(told).toEqual(['load a', 'unload a', 'load b']);
});

test('where busy models leave no room in time, the call fails so that another worker may do it', async () => {
  const models = modelsOf({ roomWaitMs: 20 });
  const [a, b] = ['a', 'b'].map((name) => add(models, { name, bytes: 60 }));
  const work = Promise.withResolvers<void>();
  const first = a?.(work.promise);
  await expect(b?.()).rejects.toMatchObject(outOfMemory);
  work.resolve();
  await first;
  expect(await b?.()).toBe('b');
});

test('two models that are asked for at once do not both take the same room', async () => {
  const models = modelsOf();
  const asks = ['a', 'b', 'c'].map((name) => add(models, { name, bytes: 60 }));
  expect(await Promise.all(asks.map(async (ask) => await ask()))).toEqual(['a', 'b', 'c']);
  expect(told.map((line) => line.split(' ')[0])).toEqual(['load', 'unload', 'load', 'unload', 'load']);
});

test('a model that is declared larger than the budget is refused for good, without a try', async () => {
  const ask = add(modelsOf(), { name: 'a', bytes: 101 });
  await expect(ask()).rejects.toMatchObject(tooLarge);
  expect(told).toEqual([]);
});

test('a model that turns out to be larger than the budget is unloaded and not tried again', async () => {
  const ask = add(modelsOf(), { name: 'a', bytes: 101, expected: 10 });
  await expect(Promise.all([ask(), ask()])).rejects.toMatchObject(tooLarge);
  await expect(ask()).rejects.toMatchObject(tooLarge);
  expect(told).toEqual(['load a', 'unload a']);
});

test('a model that turns out larger than it was thought makes more room, or goes where there is none', async () => {
  const models = modelsOf();
  const [a, b] = [add(models, { name: 'a', bytes: 60 }), add(models, { name: 'b', bytes: 60, expected: 30 })];
  const work = Promise.withResolvers<void>();
  const first = a(work.promise);
  await expect(b()).rejects.toMatchObject(outOfMemory);
  expect(told).toEqual(['load a', 'load b', 'unload b']);
  work.resolve();
  await first;
  expect(await b()).toBe('b');
  expect(told.slice(3)).toEqual(['unload a', 'load b']);
});

test('a load that fails takes no room, and is tried again at the next call', async () => {
  const models = modelsOf();
  const failures = [new Error('no weights')];
  const load = async () => {
    const failure = failures.pop();
    return await (failure ? Promise.reject(failure) : Promise.resolve());
  };
  const [a, b] = [add(models, { name: 'a', bytes: 60, load }), add(models, { name: 'b', bytes: 60 })];
  await expect(a()).rejects.toThrow('no weights');
  await b();
  expect(await a()).toBe('a');
  expect(told).toEqual(['load a', 'load b', 'unload b', 'load a']);
});

test('who is aborted while a model loads is let go, and the model is there for the next', async () => {
  const loading = Promise.withResolvers<void>();
  const ask = add(modelsOf(), { name: 'a', bytes: 60, load: async () => await loading.promise });
  const given = new AbortController();
  const call = ask(undefined, given.signal);
  given.abort(new Error('canceled'));
  await expect(call).rejects.toThrow('canceled');
  loading.resolve();
  expect(await ask()).toBe('a');
  expect(told).toEqual(['load a']);
});

test('only models that nobody has used for a while are unloaded', async () => {
  const models = modelsOf();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => add(models, { name, bytes: 30 }));
  const work = Promise.withResolvers<void>();
  await a?.();
  const busy = b?.(work.promise);
  clock += 59_999;
  await c?.();
  expect(await models.unloadIdle()).toEqual([]);
  clock += 1;
  expect(await models.unloadIdle()).toEqual(['a']);
  work.resolve();
  await busy;
  expect(await models.unloadIdle()).toEqual([]);
  clock += 60_000;
  expect(await models.unloadIdle()).toEqual(['b', 'c']);
});

test('closing waits for what is in flight, unloads all and takes nothing new', async () => {
  const models = modelsOf();
  const [a, b] = ['a', 'b'].map((name) => add(models, { name, bytes: 60 }));
  const work = Promise.withResolvers<void>();
  const first = a?.(work.promise);
  const given = new AbortController();
  const abandoned = b?.(undefined, given.signal);
  given.abort(new Error('canceled'));
  await expect(abandoned).rejects.toThrow('canceled');
  const closed = models.close();
  await expect(b?.()).rejects.toMatchObject({ name: 'TransientError', code: 'model_unavailable' });
  work.resolve();
  expect(await first).toBe('a');
  await closed;
  // Also the one whose load nobody waited for any more.
  expect(told.filter((line) => line.startsWith('load'))).toHaveLength(
    told.filter((line) => line.startsWith('unload')).length,
  );
});

test('a name that is not registered is a mistake of ours', () => {
  expect(() => modelsOf().use('a')).toThrow('no local model is called a');
});
