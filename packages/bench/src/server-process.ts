import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@bunri/testkit';

export interface ServerProcess {
  readonly pid: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Asks it to end, and kills it where that takes longer than 10 s. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** For error messages. */
  readonly name: string;
  /** The TypeScript file to run. */
  readonly file: URL;
  /** The whole environment, but for `PORT`: it inherits nothing. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A path that it answers with 2xx when it is ready. */
  readonly readyPath: string;
}

const readyTimeoutMs = 20_000;
const stopTimeoutMs = 10_000;

/**
 * Starts a server on a port of its own and waits until it is ready. Its log is written, as in production, but nobody reads
 * it: to read the lines of one side would slow down the client of both.
 *
 * @throws when it ends or stays silent before it is ready.
 */
export async function startServer({ name, file, env, readyPath }: ServerOptions): Promise<ServerProcess> {
  const port = await freePort();
  const args = ['--conditions=@bunri/source', '--no-warnings', file.pathname];
  const child = spawn(process.execPath, args, {
    env: { ...env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const endWithThisProcess = () => child.kill('SIGKILL');
  process.once('exit', endWithThisProcess);
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await exited;
      clearTimeout(killer);
    }
    process.off('exit', endWithThisProcess);
  };
  const giveUpAt = performance.now() + readyTimeoutMs;
  while (!(await answersOk(`${url}${readyPath}`))) {
    if (child.exitCode === null && child.signalCode === null && performance.now() < giveUpAt) {
      await delay(20);
      continue;
    }
    await stop();
    throw new Error(`${name} did not become ready`);
  }
  return { pid: child.pid ?? 0, url, stop };
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Nobody listens yet, which is what is being waited for.
    return false;
  }
}
