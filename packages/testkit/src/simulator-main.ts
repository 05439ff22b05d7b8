// The model API simulator as a process of its own. Prints one line of JSON once it listens; ends on SIGTERM or SIGINT.
import { parseArgs } from 'node:util';
import { startModelApiSimulator } from './model-api-simulator.ts';
import { parseFaultPlan } from './simulator-faults.ts';
import type { SimulatorLimits } from './simulator-limits.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    'vision-ms': { type: 'string', default: '3000-5000' },
    'answer-ms': { type: 'string', default: '1000-2000' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string', default: '[]' },
    'requests-per-minute': { type: 'string' },
    'tokens-per-minute': { type: 'string' },
    'burst-seconds': { type: 'string' },
  },
});

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} must be a whole number, not "${text}"`);
  return Number(text);
}

function range(name: 'vision-ms' | 'answer-ms'): [minMs: number, maxMs: number] {
  const [, min, max] = /^(\d+)-(\d+)$/.exec(values[name]) ?? [];
  if (min === undefined || max === undefined || Number(min) > Number(max)) {
    throw new Error(`--${name} must be a range of milliseconds such as 3000-5000, not "${values[name]}"`);
  }
  return [Number(min), Number(max)];
}

function limit(name: 'requests-per-minute' | 'tokens-per-minute' | 'burst-seconds', key: keyof SimulatorLimits) {
  const text = values[name];
  if (text === undefined) return {};
  const value = wholeNumber(name, text);
  if (value === 0) throw new Error(`--${name} must be above zero`);
  return { [key]: value };
}

const simulator = await startModelApiSimulator({
  port: wholeNumber('port', values.port),
  host: values.host,
  latency: { vision: range('vision-ms'), answer: range('answer-ms') },
  seed: wholeNumber('seed', values.seed),
  faults: parseFaultPlan(values.faults),
  limits: {
    ...limit('requests-per-minute', 'requestsPerMinute'),
    ...limit('tokens-per-minute', 'tokensPerMinute'),
    ...limit('burst-seconds', 'burstSeconds'),
  },
});
process.stdout.write(`${JSON.stringify({ listening: simulator.baseUrl, pid: process.pid })}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void simulator.stop());
