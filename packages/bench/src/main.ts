// `npm run bench -- [overhead] [idle] [--json] [--rounds N] [--count N]`: what bunri's runtime costs beside raw BullMQ.
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { startRedis } from '@bunri/testkit';
import { idle } from './idle.ts';
import { overhead, type Row } from './overhead.ts';
import { startSide } from './side.ts';

const scenarioNames = ['overhead', 'idle'] as const;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      count: { type: 'string', default: '2000' },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter((name) => !scenarioNames.some((known) => known === name));
  const [rounds, count] = [Number(values.rounds), Number(values.count)];
  if (values.help || unknown.length > 0 || !(rounds >= 1) || !(count >= 10)) {
    if (unknown.length > 0) process.stderr.write(`No such scenario: ${unknown.join(', ')}.\n`);
    process.stderr.write(
      `Usage: npm run bench -- [${scenarioNames.join('] [')}] [--json] [--rounds 5] [--count 2000]\n`,
    );
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const wanted = positionals.length > 0 ? positionals : scenarioNames;
  const redisServer = await startRedis({ binary: process.env['REDIS_SERVER_BIN'] });
  const redis = new Redis(redisServer.url);
  const sides = { raw: await startSide('raw', redisServer.url), bunri: await startSide('bunri', redisServer.url) };
  try {
    const results: Record<string, Row[]> = {};
    if (wanted.includes('overhead')) results['overhead'] = await overhead(sides, redis, { rounds, count });
    if (wanted.includes('idle'))
      results['idle'] = await idle(sides, { rounds, count: Math.max(50, Math.round(count / 10)) });
    process.stdout.write(values.json ? `${JSON.stringify({ rounds, count, results }, null, 2)}\n` : table(results));
  } finally {
    await Promise.all([sides.raw.stop(), sides.bunri.stop()]);
    redis.disconnect();
    await redisServer.stop();
  }
}

function table(results: Record<string, Row[]>): string {
  const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
  const lines = Object.entries(results).flatMap(([scenario, rows]) =>
    rows.map(
      (row) =>
        `| ${scenario} | ${row.figure} | ${number(row.raw)} | ${number(row.bunri)} | ${row.ratio.toFixed(2)} | ±${row.noisePercent.toFixed(0)} % |`,
    ),
  );
  return ['| scenario | figure | raw BullMQ | bunri | ratio | noise |', '|---|---|---|---|---|---|', ...lines, ''].join(
    '\n',
  );
}

await main();
