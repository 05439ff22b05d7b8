import type { DeadLetterSummary, Handled, HandledMany, Operator } from '@bunri/runtime';
import {
  filterOptions,
  onlyId,
  parse,
  toCount,
  toFilter,
  toRetryOptions,
  toSelection,
  UsageError,
  type Selection,
} from './queuectl-args.ts';
import { age, describeRequest, table } from './queuectl-print.ts';
import type { Command } from './queuectl-command.ts';

const json = { type: 'boolean', default: false } as const;

export const listDead: Command = async (args, io, open) => {
  const options = { ...filterOptions, json, limit: { type: 'string', default: '50' } } as const;
  const { values, positionals } = parse(args, options);
  if (positionals.length > 0) throw new UsageError('dead list takes no ids; dead show <id> shows one');
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
  for (const id of unreadable) io.err(`queuectl: the record of ${id} cannot be understood`);
  if (values.json) io.out(JSON.stringify({ data, more, unreadable }, null, 2));
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

export const showDead: Command = async (args, io, open) => {
  const options = { json, 'show-question': { type: 'boolean', default: false } } as const;
  const { values, positionals } = parse(args, options);
  const id = onlyId(positionals);
  const { inspector } = await open();
  const found = await inspector.inspect(id, { question: values['show-question'] });
  if (!found) throw new Error(`there is no request ${id}, or it is past its retention`);
  if (!found.dead_letter) throw new Error(`${id} is ${found.status} and no dead letter; flow ${id} shows it`);
  for (const line of values.json ? [JSON.stringify(found, null, 2)] : describeRequest(found)) io.out(line);
  return 0;
};

const all = { type: 'boolean', default: false } as const;

export const retryDead: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    ...filterOptions,
    json,
    all,
    deadline: { type: 'string', default: '3600' },
    priority: { type: 'string', default: 'batch' },
  });
  const how = toRetryOptions(values);
  const selection = toSelection(positionals, values, Date.now());
  const { deadLetters } = await open();
  const done = await act(
    selection,
    async (ids) => await deadLetters.retry(ids, how),
    async (filter) => await deadLetters.retryMatching(filter, how),
  );
  return report(done, selection, 'reopened', values.json, io);
};

export const purgeDead: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { ...filterOptions, json, all, yes: all });
  const startedAt = Date.now();
  const given = toSelection(positionals, values, startedAt);
  if (!values.yes && !io.confirm) {
    throw new Error('this deletes for good and there is no terminal to ask on; add --yes if it is meant');
  }
  const { deadLetters, now } = await open();
  // Nothing is deleted that failed after the question was asked.
  const selection: Selection =
    'ids' in given ? given : { filter: { ...given.filter, untilMs: given.filter.untilMs ?? now() } };
  if (!values.yes) {
    const count = await howMany(selection, deadLetters);
    if (count === '0') {
      io.out('No dead letters fit; nothing was purged.');
      return 0;
    }
    const agreed = await io.confirm?.(
      `Delete ${count} dead letter${count === '1' ? '' : 's'}, with record and events, for good?`,
    );
    if (agreed !== true) {
      io.err('queuectl: nothing was purged');
      return 1;
    }
  }
  const done = await act(
    selection,
    async (ids) => await deadLetters.purge(ids),
    async (filter) => await deadLetters.purgeMatching(filter),
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

async function act(
  selection: Selection,
  byId: (ids: string[]) => Promise<Handled[]>,
  byFilter: (filter: Extract<Selection, { filter: unknown }>['filter']) => Promise<HandledMany>,
): Promise<Done> {
  return 'ids' in selection ? await byId(selection.ids) : await byFilter(selection.filter);
}

/** @returns 1 where an id that was named was not handled. */
function report(
  done: Done,
  selection: Selection,
  wanted: Handled['outcome'],
  asJson: boolean,
  io: Parameters<Command>[1],
): number {
  const { results, left, more } = Array.isArray(done) ? { results: done, left: 0, more: false } : done;
  const count = results.filter(({ outcome }) => outcome === wanted).length;
  if (asJson) io.out(JSON.stringify({ results, left, more }, null, 2));
  else {
    for (const { id, outcome, detail } of results) {
      if (outcome !== wanted || detail !== null) io.out(`${id}  ${outcome}${detail === null ? '' : `: ${detail}`}`);
    }
    io.out(`${count} ${wanted}.${left > 0 ? ` ${left} are left: run it again.` : ''}`);
    if (more) io.out('Older ones were not looked at: narrow the search by --until.');
  }
  return 'ids' in selection && count < results.length ? 1 : 0;
}
