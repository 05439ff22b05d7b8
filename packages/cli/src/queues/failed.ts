import type { DeadLetterSummary, Handled, HandledMany, Operator } from '@bunri/runtime';
import { audited, confirmed, nobodyThere } from '../acting.ts';
import { filterOptions, parse, toCount, toFilter, toRetryOptions, toSelection, type Selection } from '../args.ts';
import { UsageError, type Command } from '../command.ts';
import { age, asJson, table } from '../table.ts';

const json = { type: 'boolean', default: false } as const;

export const listFailed: Command = async (args, io, open) => {
  const options = { ...filterOptions, json, limit: { type: 'string', default: '50' } } as const;
  const { values, positionals } = parse(args, options);
  if (positionals.length > 0) throw new UsageError('queues failed takes no ids; queues show <id> shows one');
  const limit = toCount('--limit', values.limit, 10_000);
  const filter = toFilter(values, Date.now());
  const { deadLetters, prefix } = await open();
  const data: DeadLetterSummary[] = [];
  const unreadable: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await deadLetters.list(filter, { limit: limit - data.length, cursor: cursor ?? undefined });
    data.push(...page.data);
    unreadable.push(...page.unreadable);
    cursor = page.next_cursor;
  } while (cursor !== null && data.length < limit && !io.signal.aborted);
  const more = cursor !== null;
  for (const id of unreadable) io.err(`bunri: the record of ${id} cannot be understood`);
  if (values.json) io.out(asJson({ data, more, unreadable }));
  else if (data.length === 0) io.out(`No dead letters under ${prefix}${more ? ' so far' : ''}.`);
  else for (const line of table(listHead, data.map(toRow))) io.out(line);
  if (more && !values.json) io.err(`There may be more: raise --limit, or narrow the filter.`);
  return 0;
};

const listHead = ['ID', 'AGE', 'FAILED AT', 'STAGE', 'STARTS', 'CODE', 'RETRIED', 'OWNER'];

function toRow(letter: DeadLetterSummary): string[] {
  const { id, age_seconds: seconds, failed_at: at, stage, attempts, code, generation, owner } = letter;
  return [id, age(seconds), at, stage ?? '-', String(attempts), code, String(generation), owner];
}

const all = { type: 'boolean', default: false } as const;

export const retryFailed: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    ...filterOptions,
    json,
    all,
    deadline: { type: 'string', default: '3600' },
    priority: { type: 'string', default: 'batch' },
  });
  const how = toRetryOptions(values);
  const selection = toSelection(positionals, values, Date.now());
  const operator = await open();
  const { deadLetters } = operator;
  const what = { action: 'dead_letters.retry', target: nameOf(selection) };
  const done = await audited(operator, io, what, async () =>
    told(
      'ids' in selection
        ? await deadLetters.retry(selection.ids, how)
        : await deadLetters.retryMatching(selection.filter, how),
    ),
  );
  return report(done, selection, 'reopened', values.json, io);
};

export const purgeFailed: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { ...filterOptions, json, all, yes: all });
  const given = toSelection(positionals, values, Date.now());
  if (!values.yes && !io.ask) throw nobodyThere();
  const operator = await open();
  const { deadLetters, now } = operator;
  // Nothing is deleted that failed after the question was asked.
  const selection: Selection =
    'ids' in given ? given : { filter: { ...given.filter, untilMs: given.filter.untilMs ?? now() } };
  if (!values.yes) {
    const count = await howMany(selection, deadLetters);
    if (count === '0') {
      io.out('No dead letters fit; nothing was purged.');
      return 0;
    }
    const question = `Delete ${count} dead letter${count === '1' ? '' : 's'}, with record and events, for good?`;
    if (!(await confirmed(io, question))) {
      io.err('bunri: nothing was purged');
      return 1;
    }
  }
  const what = { action: 'dead_letters.purge', target: nameOf(selection), announced: true };
  const done = await audited(operator, io, what, async () =>
    told(
      'ids' in selection ? await deadLetters.purge(selection.ids) : await deadLetters.purgeMatching(selection.filter),
    ),
  );
  const code = report(done, selection, 'purged', values.json, io);
  if (!values.json) io.out('Uploads and images stay until their own retention ends.');
  return code;
};

async function howMany(selection: Selection, deadLetters: Operator['deadLetters']): Promise<string> {
  if ('ids' in selection) return String(selection.ids.length);
  const { count, more } = await deadLetters.count(selection.filter);
  return `${more ? 'at least ' : ''}${count}`;
}

type Done = Handled[] | HandledMany;

/** For the audit: the ids or the filter. */
function nameOf(selection: Selection): string {
  return 'ids' in selection ? selection.ids.join(' ') : JSON.stringify(selection.filter);
}

function told(done: Done): { result: Done; facts: Record<string, unknown> } {
  const counts: Record<string, number> = {};
  for (const { outcome } of Array.isArray(done) ? done : done.results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return { result: done, facts: { counts } };
}

/** @returns 1 where an id that was named was not handled. */
function report(
  done: Done,
  selection: Selection,
  wanted: Handled['outcome'],
  json: boolean,
  io: Parameters<Command>[1],
): number {
  const { results, left, more } = Array.isArray(done) ? { results: done, left: 0, more: false } : done;
  const count = results.filter(({ outcome }) => outcome === wanted).length;
  if (json) io.out(asJson({ results, left, more }));
  else {
    for (const { id, outcome, detail } of results) {
      if (outcome !== wanted || detail !== null) io.out(`${id}  ${outcome}${detail === null ? '' : `: ${detail}`}`);
    }
    io.out(`${count} ${wanted}.${left > 0 ? ` ${left} are left: run it again.` : ''}`);
    if (more) io.out('Older ones were not looked at: narrow the search by --until.');
  }
  return 'ids' in selection && count < results.length ? 1 : 0;
}
