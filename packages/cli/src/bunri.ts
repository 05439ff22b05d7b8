#!/usr/bin/env -S node --conditions=@bunri/source
// `npm run -s bunri -- <command>`: what operators do from a shell, whether the apps run or not.
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { CommandIo } from './command.ts';
import { runBunri } from './dispatch.ts';

const stopping = new AbortController();
/** npm passes on what the terminal has sent to all: one Ctrl-C comes twice. */
const samePressMs = 500;
let stoppedAt: number | undefined;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, (_signal: NodeJS.Signals, number: number) => {
    stoppedAt ??= performance.now();
    stopping.abort();
    // Not every command can stop where it is; who asks again does not want to wait.
    if (performance.now() - stoppedAt > samePressMs) process.exit(128 + number);
  });
}

/** Asks on standard error, so that standard output holds the result alone. Ctrl-C and the end of the input give ''. */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const left = new AbortController();
  terminal.once('SIGINT', () => left.abort());
  terminal.once('close', () => left.abort());
  const signal = AbortSignal.any([stopping.signal, left.signal]);
  try {
    return (await terminal.question(`${question} `, { signal })).trim();
  } catch (error) {
    if (signal.aborted) return '';
    throw error;
  } finally {
    terminal.close();
  }
}

/** A container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

const io: CommandIo = {
  env: process.env,
  actor: `cli:${userName()}`,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
  draw: process.stdout.isTTY ? (text) => void process.stdout.write(text) : undefined,
  signal: stopping.signal,
};
process.exitCode = await runBunri(process.argv.slice(2), io);
