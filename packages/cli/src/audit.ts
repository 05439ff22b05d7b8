import type { AuditLine } from '@bunri/runtime';
import { parse, toCount, toTime } from './args.ts';
import { UsageError, type Command, type Program } from './command.ts';
import { programOf } from './program.ts';
import { asJson, table } from './table.ts';

const show: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    since: { type: 'string' },
    limit: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError('audit takes only options');
  const limit = toCount('--limit', values.limit, 10_000);
  const sinceMs = values.since === undefined ? undefined : toTime('--since', values.since, Date.now());
  const { audit, prefix } = await open();
  const lines = await audit.read({ sinceMs, limit });
  if (values.json) io.out(asJson({ data: lines, more: lines.length === limit }));
  else if (lines.length === 0)
    io.out(`Nobody did anything under ${prefix}${sinceMs === undefined ? '' : ' since then'}.`);
  else for (const line of table(['AT', 'WHO', 'DID', 'TO', 'OUTCOME', ''], lines.map(toRow))) io.out(line);
  if (!values.json && lines.length === limit) io.err('There may be more: raise --limit, or narrow it by --since.');
  return 0;
};

function toRow({ at, actor, action, target, outcome, facts }: AuditLine): string[] {
  const more = Object.entries(facts).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [at, actor, action, target, outcome, more.join(' ')];
}

/** `bunri audit`. */
export const audit: Program = programOf({
  name: 'audit',
  does: 'What people did to the system, by the api and from a shell.',
  sections: {
    '': {
      '': {
        takes: '',
        does: 'shows what people did to the system, oldest first',
        options: [
          ['--since <2h|date>', 'from then on'],
          ['--limit <100>', 'the newest of them'],
          ['--json', 'for programs'],
        ],
        notes: [
          'About the last 10,000 actions are kept. begun: it was announced, and its end follows, unless it was cut off.',
        ],
        run: show,
      },
    },
  },
});
