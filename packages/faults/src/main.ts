// `npm run faults -- [scenario…] [--json] [--list] [--seed N] [--logs DIR]`: breaks the system, and shows what is left of it.
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scenarios, scenariosNamed } from './catalogue.ts';
import { renderJson, renderTable } from './report.ts';
import { runScenario } from './run-scenario.ts';
import type { Scenario, ScenarioResult } from './scenario.ts';

const usage = `Usage: npm run faults -- [scenario…] [options]

Starts bunri on this machine with a simulator in place of the model API, drives load, injects one fault a scenario, and
shows what became of every request. Each scenario has a Redis, an S3 and processes of its own. All of it is on loopback.

  --json      print only JSON, on standard output
  --list      name the scenarios and what they do
  --seed N    of photos, latencies and pauses (1)
  --logs DIR  keep every line that the apps write, one file a scenario

accepted        ids that a client was given, or learnt by sending again with the same Idempotency-Key
failed (typed)  ended with a code of the contracts, canceled, or 410 with a code
lost            accepted, and not ended 75 s after its deadline, or unknown to the api
answered twice  ends of a request beyond its first, and completions of a stage beyond its first, in its event stream
by rules        completed with an answer from the rules alone, since no model could be asked
model calls     made: calls that the simulator began to serve and did not fail by an injected fault; needed: one for each
                distinct photo, question and stage that came to a result; in flight: those that the fault cut off,
                or that were answered in the 100 ms before it
recovery s      from the end of the fault (for a kill: the kill) until every request accepted before has ended and one
                submitted afterwards has completed; time in which the machine stood still does not count

Promised: 0 lost, 0 answered twice, no event missing or repeated, made ≤ needed + in flight, recovery below 45 s, and no
failure but those that the fault explains. The exit code is 1 where a promise is broken.
`;

function parseOptions(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      logs: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (!/^\d{1,6}$/.test(values.seed))
    throw new Error(`--seed takes a whole number below 1,000,000, not ${values.seed}`);
  return { ...values, seed: Number(values.seed), wanted: scenariosNamed(positionals) };
}

function list(): string {
  const width = Math.max(...scenarios.map(({ name }) => name.length));
  return scenarios.map(({ name, says }) => `${name.padEnd(width)}  ${says}\n`).join('');
}

function openLog(dir: string | undefined, scenario: Scenario): WriteStream | undefined {
  if (dir === undefined) return undefined;
  mkdirSync(dir, { recursive: true });
  return createWriteStream(join(dir, `${scenario.name}.log`));
}

async function runAll(
  { wanted, seed, logs }: ReturnType<typeof parseOptions>,
  stopping: AbortSignal,
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  for (const [i, scenario] of wanted.entries()) {
    process.stderr.write(`${i + 1}/${wanted.length} ${scenario.name} … `);
    const log = openLog(logs, scenario);
    const result = await runScenario(scenario, {
      seed,
      redisBinary: process.env['REDIS_SERVER_BIN'],
      path: process.env['PATH'],
      onLine: (app, line) => log?.write(`${app} ${line}\n`),
      stopping,
    });
    log?.end();
    process.stderr.write(`${result.ok ? 'ok' : 'FAILED'}, ${result.seconds.toFixed(0)} s\n`);
    results.push(result);
  }
  return results;
}

const stopping = new AbortController();
/** Of a program that was ended by Ctrl-C, as shells have it. */
const stoppedCode = 130;

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help || options.list) {
    process.stdout.write(options.help ? usage : list());
    return;
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Whatever is still being started ends with this process.
      if (stopping.signal.aborted) process.exit(stoppedCode);
      stopping.abort(new Error(`stopped by ${signal}`));
    });
  }
  const results = await runAll(options, stopping.signal);
  process.stdout.write(options.json ? renderJson(options.seed, results) : renderTable(results));
  process.exit(results.every(({ ok }) => ok) ? 0 : 1);
}

main().catch((error: unknown) => {
  process.stderr.write(`\nfaults: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(stopping.signal.aborted ? stoppedCode : 2);
});
