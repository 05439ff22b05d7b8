import { request } from 'node:http';

export interface ProbeWatch {
  /** Ends the watch. What was seen of each process, in the order in which they were given. */
  stop(): Promise<readonly ProbesOf[]>;
}

/** What was seen of one process. */
export interface ProbesOf {
  /** Milliseconds of every probe that was answered 2xx. */
  readonly ms: readonly number[];
  /** The others, in words. */
  readonly failures: readonly string[];
}

const everyMs = 1_000;
const timeoutMs = 5_000;
const paths = ['/healthz', '/readyz'] as const;

/**
 * Asks every process for its health and its readiness once a second, each time over a new connection, as a kubelet does.
 * The probes of a second are spread over it, so that they measure the processes and not each other.
 */
export function watchProbes(origins: readonly string[]): ProbeWatch {
  const seen = origins.map(() => ({ ms: [] as number[], failures: [] as string[] }));
  const asked = origins.flatMap((origin, i) => paths.map((path) => ({ url: `${origin}${path}`, of: seen[i] })));
  const open: Promise<void>[] = [];
  let next = 0;
  const note = async ({ url, of }: (typeof asked)[number]) => {
    const { tookMs, problem } = await ask(url);
    if (problem === undefined) of?.ms.push(tookMs);
    else of?.failures.push(`${url} ${problem} after ${Math.round(tookMs)} ms`);
  };
  const timer = setInterval(() => {
    const one = asked[next % asked.length];
    next += 1;
    if (one) open.push(note(one));
  }, everyMs / asked.length);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return seen;
    },
  };
}

/** Never rejects. */
async function ask(url: string): Promise<{ tookMs: number; problem?: string }> {
  const startedAt = performance.now();
  const problem = await new Promise<string | undefined>((resolve) => {
    const probe = request(url, { agent: false, timeout: timeoutMs }, (response) => {
      response.resume();
      response.once('end', () => resolve(isOk(response.statusCode) ? undefined : String(response.statusCode)));
      response.once('error', (error) => resolve(error.message));
    });
    probe.once('timeout', () => probe.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    probe.once('error', (error) => resolve(error.message));
    probe.end();
  });
  const tookMs = performance.now() - startedAt;
  return problem === undefined ? { tookMs } : { tookMs, problem };
}

function isOk(status = 0): boolean {
  return status >= 200 && status < 300;
}
