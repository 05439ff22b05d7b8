import { freePort, startProcess } from '@bunri/testkit';

/** What the api tells of itself. */
export interface ApiState {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly cpuSeconds: number;
  readonly listeners: number;
  /** How late its event loop was since it was last asked, the 99th percentile. */
  readonly latenessMs: number;
}

/** One api process of its own. */
export interface MeasuredApi {
  readonly origin: string;
  state(): Promise<ApiState>;
  /** Its state when everything that it does not need has been let go. */
  settledState(): Promise<ApiState>;
  stop(): Promise<void>;
}

export const demoOwner = 'demo';

const root = new URL('../../../../', import.meta.url).pathname;

export async function startMeasuredApi(settings: Readonly<Record<string, string | undefined>>): Promise<MeasuredApi> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  let onCollected: () => void = () => undefined;
  const running = await startProcess({
    name: 'api',
    args: ['apps/api/src/main.ts'],
    nodeArgs: ['--expose-gc', '--import', new URL('collect-garbage.ts', import.meta.url).href],
    cwd: root,
    env: { ...settings, HOST: '127.0.0.1', PORT: String(port), DEMO: 'true', RATE_LIMIT_PER_MINUTE: '100000000' },
    readyUrl: `${origin}/readyz`,
    readyTimeoutMs: 60_000,
    onLine: (line) => {
      if (line === 'garbage collected') onCollected();
    },
  });

  async function state(): Promise<ApiState> {
    const text = await (await fetch(`${origin}/metrics`)).text();
    const value = (name: string) =>
      Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
    return {
      rssBytes: value('process_resident_memory_bytes'),
      heapBytes: value('nodejs_heap_size_used_bytes') + value('nodejs_external_memory_bytes'),
      cpuSeconds: value('process_cpu_seconds_total'),
      listeners: value('bunri_event_listeners'),
      latenessMs: value('nodejs_eventloop_lag_p99_seconds') * 1000,
    };
  }

  return {
    origin,
    state,
    async settledState() {
      const collected = new Promise<void>((resolve) => (onCollected = resolve));
      process.kill(running.pid, 'SIGUSR2');
      await collected;
      return await state();
    },
    async stop() {
      await running.stop('SIGTERM', 40_000);
    },
  };
}
