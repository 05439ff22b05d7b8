// `npm run bench -- [scenario …] [--json] [--list] [--rounds N] [--count N] [--set name=value …]`: what bunri costs beside
// what it is made of.
import { parseArgs } from 'node:util';
import { runAll } from './run-all.ts';
import { scenarios } from './scenarios.ts';
import { missedBounds, table } from './table.ts';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      count: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  const rounds = Number(values.rounds);
  const count = values.count === undefined ? undefined : Number(values.count);
  const settings = Object.fromEntries(values.set.map((setting) => setting.split(/=(.*)/s).slice(0, 2)));
  const wrong = unknown.length > 0 || !(rounds >= 1) || (count !== undefined && !(count >= 1));
  if (values.list || values.help || wrong) {
    if (unknown.length > 0) process.stderr.write(`No such scenario: ${unknown.join(', ')}.\n`);
    process.stderr.write(
      'Usage: npm run bench -- [scenario …] [--json] [--list] [--rounds 5] [--count N] [--set name=value …]\n',
    );
    for (const { name, summary } of scenarios) process.stderr.write(`  ${name.padEnd(10)} ${summary}\n`);
    process.exitCode = wrong ? 2 : 0;
    return;
  }
  const wanted = scenarios.filter(({ name, onlyByName = false }) =>
    positionals.length === 0 ? !onlyByName : positionals.includes(name),
  );
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const { REDIS_SERVER_BIN: redisBinary, PATH: path } = process.env;
  const { reports, failures } = await runAll(wanted, { rounds, count, settings, redisBinary, path, say });
  if (values.json) {
    const failed = Object.fromEntries([...failures].map(([name, error]) => [name, { error: described(error) }]));
    process.stdout.write(`${JSON.stringify({ rounds, reports: Object.fromEntries(reports), failed }, null, 2)}\n`);
  } else process.stdout.write(`${table(reports)}\n${missedBounds(reports)}\n`);
  for (const [name, error] of failures) say(`${name} failed: ${described(error)}`);
  // What a scenario that failed has left open must not keep this process.
  if (failures.size > 0) process.exit(1);
}

function described(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// Each process that a scenario starts is ended by a listener of its own when this one exits: `slots` alone starts more than
// the ten from which Node warns of a leak.
process.setMaxListeners(64);
// Whatever was started ends with this process, but only where it exits by itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
await main();
