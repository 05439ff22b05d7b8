import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AppName } from '@bunri/cli/system';
import { freePort } from '@bunri/testkit';
import { cpuSecondsOf, rssOf } from './process-usage.ts';
import { measureSpell } from './spell.ts';

export interface ColdStart {
  readonly pid: number;
  readonly url: string;
  /** From spawning the process to the first 200 of `/readyz`, while the machine ran. */
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
  const { result, spell } = await measureSpell([], async () => {
    const launched = launch(app, { ...env, PORT: String(port) });
    await untilReady(app, launched, port);
    const { pid, stop } = launched;
    const [readyRss, cpuSeconds] = await Promise.all([rssOf(pid), cpuSecondsOf(pid)]);
    return { pid, stop, readyRss, cpuMs: cpuSeconds * 1000 };
  });
  return { ...result, url: `http://127.0.0.1:${port}`, readyMs: spell.ranMs };
}

interface Launched {
  readonly pid: number;
  readonly ended: () => boolean;
  readonly stop: () => Promise<void>;
}

function launch(app: AppName, env: Readonly<Record<string, string | undefined>>): Launched {
  const child = spawn(process.execPath, ['main.cjs'], {
    cwd: fileURLToPath(new URL(`../../../out/${app}`, import.meta.url)),
    env,
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
  return { pid: child.pid ?? 0, ended, stop };
}

async function untilReady(app: AppName, { ended, stop }: Launched, port: number): Promise<void> {
  const giveUpAt = performance.now() + readyTimeoutMs;
  while (!(await isReady(port))) {
    if (ended() || performance.now() > giveUpAt) {
      await stop();
      throw new Error(`${app} did not become ready`);
    }
    await delay(pollMs);
  }
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
