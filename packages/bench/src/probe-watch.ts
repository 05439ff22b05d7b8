import { request } from 'node:http';

export interface ProbeWatch {
  /** Ends the watch. Milliseconds of every probe, and those that were not answered 200, in words. */
  stop(): Promise<{ readonly ms: readonly number[]; readonly failures: readonly string[] }>;
}

const everyMs = 1_000;
const timeoutMs = 5_000;
const paths = ['/healthz', '/readyz'] as const;

/**
 * Asks every process for its health and its readiness once a second, each time over a new connection, as a kubelet does.
 * The probes of a second are spread over it, so that they measure the processes and not each other.
 */
export function watchProbes(origins: readonly string[]): ProbeWatch {
  const urls = origins.flatMap((origin) => paths.map((path) => `${origin}${path}`));
  const ms: number[] = [];
  const failures: string[] = [];
  const open: Promise<void>[] = [];
  let next = 0;
  const note = async (url: string) => {
    const { tookMs, problem } = await ask(url);
    ms.push(tookMs);
    if (problem !== undefined) failures.push(`${url} ${problem}`);
  };
  const timer = setInterval(() => {
    const url = urls[next % urls.length] ?? '';
    next += 1;
    open.push(note(url));
  }, everyMs / urls.length);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { ms, failures };
    },
  };
}

/** Never rejects: a probe without an answer took as long as it was waited for. */
async function ask(url: string): Promise<{ tookMs: number; problem?: string }> {
  const startedAt = performance.now();
  const problem = await new Promise<string | undefined>((resolve) => {
    const probe = request(url, { agent: false, timeout: timeoutMs }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200 ? undefined : String(response.statusCode)));
      response.once('error', (error) => resolve(error.message));
    });
    probe.once('timeout', () => probe.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    probe.once('error', (error) => resolve(error.message));
    probe.end();
  });
  const tookMs = performance.now() - startedAt;
  return problem === undefined ? { tookMs } : { tookMs, problem };
}
