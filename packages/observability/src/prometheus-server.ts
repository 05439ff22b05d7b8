import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { freePort, killWithParent, patienceMs } from '@bunri/testkit';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: string])[];
}

export interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: string;
}

/** Epoch seconds, and how far apart the values are, s. */
export interface QuerySpan {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

export interface PrometheusServer {
  /**
   * The values of a query. Default: of the last minute, one for every four seconds, the last one of now.
   * @throws with Prometheus's words when it cannot be evaluated.
   */
  queryRange(query: string, span?: QuerySpan): Promise<readonly Sample[]>;
  /** The last value of a query at a time, epoch s, in the order that the query asks for. @throws as `queryRange` does. */
  query(query: string, time: number): Promise<readonly Sample[]>;
  rules(): Promise<readonly Rule[]>;
  stop(): Promise<void>;
}

/** For tests: a Prometheus that scrapes the targets, `host:port` each, and knows the rule files. */
export async function startPrometheus(options: {
  readonly program: string;
  readonly targets: readonly string[];
  readonly ruleFiles: readonly string[];
  /** Between two scrapes. Default 500 ms. */
  readonly scrapeMs?: number;
}): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'bunri-prometheus-'));
  const port = await freePort();
  const interval = `${options.scrapeMs ?? 500}ms`;
  const config = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: '1s' },
    rule_files: options.ruleFiles,
    scrape_configs: [{ job_name: 'bunri', static_configs: [{ targets: options.targets }] }],
  };
  await writeFile(join(folder, 'prometheus.yaml'), stringify(config));
  const args = [
    `--config.file=${join(folder, 'prometheus.yaml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ];
  const child = spawn(options.program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  killWithParent(child);
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-10_000)));
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve();
    });
    child.once('close', () => resolve());
  });

  const url = `http://127.0.0.1:${port}`;
  async function ask(path: string, body?: URLSearchParams): Promise<unknown> {
    const answer = await fetch(`${url}/api/v1/${path}`, body ? { method: 'POST', body } : {});
    const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string };
    if (status !== 'success') throw new Error(error);
    return data;
  }

  const lastMinute = () => {
    const end = Date.now() / 1000;
    return { start: end - 60, end, step: 4 };
  };
  const server: PrometheusServer = {
    async queryRange(query, span = lastMinute()) {
      const { start, end, step } = span;
      const body = new URLSearchParams({ query, start: String(start), end: String(end), step: String(step) });
      return ((await ask('query_range', body)) as { result: Sample[] }).result;
    },
    async query(query, time) {
      const body = new URLSearchParams({ query, time: String(time) });
      const { result } = (await ask('query', body)) as {
        result: { metric: Sample['metric']; value: Sample['values'][number] }[];
      };
      return result.map(({ metric, value }) => ({ metric, values: [value] }));
    },
    async rules() {
      const { groups } = (await ask('rules')) as { groups: { rules: Rule[] }[] };
      return groups.flatMap(({ rules }) => rules);
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true });
    },
  };
  const isReady = async () => (await fetch(`${url}/-/ready`).catch(() => null))?.ok === true;
  const giveUp = AbortSignal.timeout(patienceMs);
  while (!(await isReady())) {
    if (child.exitCode === null && !giveUp.aborted) {
      await delay(50);
      continue;
    }
    await server.stop();
    throw new Error(`Prometheus did not start:\n${output}`);
  }
  return server;
}
