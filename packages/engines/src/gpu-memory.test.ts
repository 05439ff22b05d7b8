import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLogger, createMetrics, type Metrics } from '@bunri/runtime';
import { parseGpuMemory, watchGpuMemory } from './gpu-memory.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
let metrics: Metrics;
let endWatch: () => void = () => undefined;
beforeEach(() => {
  metrics = createMetrics({ app: 'test', processMetrics: false });
});
afterEach(() => endWatch());

const shown = async () => (await metrics.gpuMemory.get()).values.map(({ labels, value }) => ({ ...labels, value }));

/** Answers in turn; resolves `asked` when the last of the answers was taken. */
function answers(...given: (string | Error)[]) {
  const asked = Promise.withResolvers<void>();
  const questions: string[] = [];
  const ask = async (args: readonly string[]) => {
    questions.push(args.join(' '));
    const answer = given.shift() ?? new Error('asked too often');
    if (given.length === 0) setImmediate(() => setImmediate(asked.resolve));
    return await (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer));
  };
  return { ask, asked: asked.promise, questions };
}

test('the memory of each GPU is shown in bytes, used and total', async () => {
  const { ask, asked, questions } = answers('1024, 16384\n0, 8192\n');
  endWatch = watchGpuMemory({ metrics, log, ask });
  await asked;
  expect(questions).toEqual(['--query-gpu=memory.used,memory.total --format=csv,noheader,nounits']);
  expect(await shown()).toEqual([
    { gpu: 0, kind: 'used', value: 2 ** 30 },
    { gpu: 0, kind: 'total', value: 2 ** 34 },
    { gpu: 1, kind: 'used', value: 0 },
    { gpu: 1, kind: 'total', value: 2 ** 33 },
  ]);
});

test('where the program is absent the metric has no value, and it is not asked again', async () => {
  const { ask, asked, questions } = answers(Object.assign(new Error('spawn'), { code: 'ENOENT' }));
  endWatch = watchGpuMemory({ metrics, log, ask, everyMs: 1 });
  await asked;
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(questions).toHaveLength(1);
  expect(await metrics.registry.getSingleMetricAsString('bunri_gpu_memory_bytes')).not.toMatch(/^bunri_gpu/m);
});

test('a program that fails leaves no old value behind, and is asked again', async () => {
  const first = answers('1024, 16384', new Error('the driver hangs'));
  endWatch = watchGpuMemory({ metrics, log, ask: first.ask, everyMs: 5 });
  await first.asked;
  expect(await shown()).toEqual([]);
  endWatch();
  const second = answers(new Error('the driver hangs'), '512, 16384');
  endWatch = watchGpuMemory({ metrics, log, ask: second.ask, everyMs: 5 });
  await second.asked;
  endWatch();
  expect(await shown()).toHaveLength(2);
});

test('what is no figure is an error', () => {
  expect(() => parseGpuMemory('[N/A], 16384')).toThrow('[N/A], 16384');
  expect(parseGpuMemory('')).toEqual([]);
});
