import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AppName } from '@bunri/cli/system';
import { freePort } from '@bunri/testkit';
import { cpuSecondsOf, rssOf } from './process-usage.ts';

export interface ColdStart {
  readonly pid: number;
  readonly url: string;
  /** From spawning the process to the first 200 of `/readyz`. */
  readonly readyMs: number;
  /** What the process has used of the CPU until then, all threads. */
  readonly cpuMs: number;
  /** Bytes, at that moment. */
  readonly readyRss: number;
  /** Lets it end by itself, and kills it where that takes longer than 20 s. */
  stop(): Promise<void>;
}

const readyTimeoutMs = 20_000;
const stopTimeoutMs = 20_000;
/** How often readiness is asked; the most that the time is too long by. */
const pollMs = 5;

/**
 * Starts an app from its bundle in `out/`, with the same command as the image.
 *
 * @throws when it ends or is not ready in time.
 */
export async function startCold(app: AppName, env: Readonly<Record<string, string | undefined>>): Promise<ColdStart> {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['main.cjs'], {
    cwd: fileURLToPath(new URL(`../../../out/${app}`, import.meta.url)),
    env: { ...env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const endWithThisProcess = () => child.kill('SIGKILL');
  process.once('exit', endWithThisProcess);
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    if (!ended()) {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await exited;
      clearTimeout(killer);
    }
    process.off('exit', endWithThisProcess);
  };
  while (!(await isReady(port))) {
    if (ended() || performance.now() - startedAt > readyTimeoutMs) {
      child.kill('SIGKILL');
      throw new Error(`${app} did not become ready`);
    }
    await delay(pollMs);
  }
  const readyMs = performance.now() - startedAt;
  const pid = child.pid ?? 0;
  const [readyRss, cpuSeconds] = await Promise.all([rssOf(pid), cpuSecondsOf(pid)]);
  return { pid, url: `http://127.0.0.1:${port}`, readyMs, cpuMs: cpuSeconds * 1000, readyRss, stop };
}

/** Over a connection of its own: one that is kept would be asked before the server is there. */
async function isReady(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200));
    });
    request.once('error', () => resolve(false));
  });
}
