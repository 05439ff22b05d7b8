import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { compileCache } from './compile-cache.ts';
import { killWithParent } from './kill-with-parent.ts';
import { tailOfLines } from './lines.ts';
import { patienceMs } from './until.ts';

export interface ProcessOptions {
  /** For error messages. */
  readonly name: string;
  /** The TypeScript file to run, and its arguments. */
  readonly args: readonly string[];
  /** The whole environment of the process but for `compileCache`: it inherits nothing. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Options of Node itself, as `--max-old-space-size=160`. */
  readonly nodeArgs?: readonly string[];
  /** Answers 2xx once the process is ready; without it the process counts as ready when it has been started. */
  readonly readyUrl?: string;
  readonly readyTimeoutMs?: number;
  /** Sees every line of standard output and standard error. */
  readonly onLine?: (line: string) => void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly pid: number;
  /** The origin of `readyUrl`. */
  readonly url?: string;
  readonly exited: Promise<Exit>;
  /** Sends the signal and waits for the end; after `timeoutMs` it kills, which `signal: 'SIGKILL'` in the result tells. */
  stop(signal?: NodeJS.Signals, timeoutMs?: number): Promise<Exit>;
  /** The last lines that it wrote. */
  output(): string;
}

const keptLines = 60;

/**
 * Runs a TypeScript file of the workspace as a process of its own, from its source, and waits until it is ready.
 * It ends with this process, however that ends.
 *
 * @throws when it ends or stays silent before it is ready, with its last lines in the message; it is then gone.
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { name, readyUrl, readyTimeoutMs = patienceMs } = options;
  const child = spawn(
    process.execPath,
    ['--conditions=@bunri/source', '--no-warnings', ...(options.nodeArgs ?? []), ...options.args],
    { env: { ...compileCache, ...options.env }, cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = tailOfLines(keptLines, options.onLine);
  log.follow(child.stdout);
  log.follow(child.stderr);
  const exited = exitOf(child);
  killWithParent(child);

  const running: RunningProcess = {
    pid: child.pid ?? 0,
    ...(readyUrl === undefined ? {} : { url: new URL(readyUrl).origin }),
    exited,
    stop: (signal, timeoutMs) => stopChild(child, exited, signal, timeoutMs),
    output: () => log.text(),
  };
  const problem = readyUrl === undefined ? undefined : await whyNotReady(readyUrl, readyTimeoutMs, exited);
  if (problem !== undefined || child.pid === undefined) {
    await running.stop('SIGKILL');
    throw new Error(`${name} ${problem ?? 'could not be started'}. Its last lines:\n${running.output()}`);
  }
  return running;
}

/** Resolves after the last line was read. A process that could not be started counts as ended with code null. */
function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('error', () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
}

async function whyNotReady(url: string, timeoutMs: number, exited: Promise<Exit>): Promise<string | undefined> {
  const giveUp = AbortSignal.timeout(timeoutMs);
  let ended: Exit | undefined;
  void exited.then((exit) => (ended = exit));
  while (!giveUp.aborted) {
    if (ended !== undefined) return `ended before it was ready (code ${ended.code}, signal ${ended.signal})`;
    if (await answersOk(url, giveUp)) return undefined;
    await delay(20);
  }
  return `was not ready within ${timeoutMs} ms (${url})`;
}

async function answersOk(url: string, giveUp: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([giveUp, AbortSignal.timeout(1_000)]) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Nobody listens yet, which is what is being waited for.
    return false;
  }
}

async function stopChild(
  child: ChildProcess,
  exited: Promise<Exit>,
  signal: NodeJS.Signals = 'SIGTERM',
  timeoutMs = 15_000,
): Promise<Exit> {
  child.kill(signal);
  const killer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const exit = await exited;
  clearTimeout(killer);
  return exit;
}
