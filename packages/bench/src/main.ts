// `npm run bench -- [scenario …] [--json] [--list] [--rounds N] [--count N] [--set name=value …]`: what bunri costs beside
// what it is made of.
import { parseArgs } from 'node:util';
import type { Report } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { table } from './table.ts';

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
  const reports = new Map<string, Report>();
  for (const scenario of wanted) {
    const say = (line: string) => process.stderr.write(`${scenario.name}: ${line}\n`);
    say(scenario.summary);
    const { REDIS_SERVER_BIN: redisBinary, PATH: path } = process.env;
    reports.set(scenario.name, await scenario.run({ rounds, count, settings, redisBinary, path, say }));
  }
  process.stdout.write(
    values.json ? `${JSON.stringify({ rounds, reports: Object.fromEntries(reports) }, null, 2)}\n` : table(reports),
  );
}

// Whatever was started ends with this process, but only where it exits by itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
await main();
