// A worker that holds a toy model, for process-engine.test.ts, which kills it: prints the pid of the model's process.
import { createLogger, createMetrics } from '@bunri/runtime';
import { processEngine } from './process-engine.ts';
import type { ToyTask, ToyValue } from './toy-predictor.ts';

const engine = processEngine<ToyTask, ToyValue>({
  model: 'toy',
  module: new URL('toy-predictor.ts', import.meta.url),
  maxOldSpaceMb: 64,
  timeoutMs: 20_000,
  metrics: createMetrics({ app: 'test', processMetrics: false }),
  log: createLogger({ app: 'test', level: 'error', silent: true }),
});
const [told] = await engine.predict([{ do: 'tell' }], { signal: new AbortController().signal });
process.stdout.write(`${told?.value.pid}\n`);
