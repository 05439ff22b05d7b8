// `npm run queuectl -- <command>`; works on Redis itself, whether the apps run or not.
import { createInterface } from 'node:readline/promises';
import type { CommandIo } from './queuectl-command.ts';
import { runQueuectl } from './queuectl-run.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());

/** Asks on standard error, so that standard output holds the result alone. Ctrl-C and the end of the input are a no. */
async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const left = new AbortController();
  terminal.once('SIGINT', () => left.abort());
  terminal.once('close', () => left.abort());
  const signal = AbortSignal.any([stopping.signal, left.signal]);
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal })).trim());
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}

const io: CommandIo = {
  env: process.env,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  confirm: process.stdin.isTTY && process.stderr.isTTY ? confirm : undefined,
  signal: stopping.signal,
};
process.exitCode = await runQueuectl(process.argv.slice(2), io);
