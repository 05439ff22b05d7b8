import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import {
  failureCodes,
  requestIdSchema,
  stageNames,
  type FailureCode,
  type Request,
  type StageName,
} from '@bunri/queue-contracts';
import { matchesAll, type DeadLetterFilter, type RetryOptions } from '@bunri/runtime';
import { UsageError } from './command.ts';
import { nearest } from './program.ts';

/** `parseArgs` that says in a UsageError what it does not understand. */
export function parse<const Options extends ParseArgsOptionsConfig>(args: string[], options: Options) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    // Its messages are for people, their second sentence for programmers.
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    const [, unknown] = /Unknown option '--?([\w-]+)/.exec(message) ?? [];
    const meant = unknown === undefined ? undefined : nearest(unknown, Object.keys(options));
    throw new UsageError(meant === undefined ? message : `${message}; did you mean --${meant}?`, { cause: error });
  }
}

export const filterOptions = {
  code: { type: 'string' },
  stage: { type: 'string' },
  owner: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
} as const;

interface FilterValues {
  code?: string | undefined;
  stage?: string | undefined;
  owner?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

export function toFilter(values: FilterValues, now: number): DeadLetterFilter {
  const { code, stage, owner, since, until } = values;
  return {
    code: code === undefined ? undefined : oneOf<FailureCode>('--code', code, failureCodes),
    stage: stage === undefined ? undefined : oneOf<StageName>('--stage', stage, stageNames),
    owner,
    sinceMs: since === undefined ? undefined : toTime('--since', since, now),
    untilMs: until === undefined ? undefined : toTime('--until', until, now),
  };
}

/** What a command that changes dead letters is to change: the ids, or what fits the filter; all only where it says so. */
export type Selection = { readonly ids: string[] } | { readonly filter: DeadLetterFilter };

export function toSelection(positionals: string[], values: FilterValues & { all: boolean }, now: number): Selection {
  const filter = toFilter(values, now);
  const filtered = !matchesAll(filter);
  if (positionals.length > 0) {
    if (filtered || values.all) throw new UsageError('give ids, or a filter, or --all');
    return { ids: [...new Set(positionals.map(toId))] };
  }
  if (filtered && values.all) throw new UsageError('--all leaves nothing to a filter; give one of them');
  if (!filtered && !values.all) throw new UsageError('give ids, a filter such as --code, or --all');
  return { filter };
}

export function toId(text: string): string {
  if (requestIdSchema.safeParse(text).success) return text;
  throw new UsageError(`${text} is no request id: req_ and 32 hex digits`);
}

/** The one id that a command takes. */
export function onlyId(positionals: string[]): string {
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw new UsageError('give one request id');
  return toId(id);
}

export function toRetryOptions({ deadline, priority }: { deadline: string; priority: string }): RetryOptions {
  return {
    deadlineMs: toCount('--deadline', deadline, 86_400) * 1000,
    priority: oneOf<Request['priority']>('--priority', priority, ['interactive', 'batch']),
  };
}

export function toCount(option: string, text: string, most: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new UsageError(`${option} takes a whole number from 1 to ${most}, not ${text}`);
}

/** A length of time such as `90d`, `24h` or `0s`, in ms. */
export function toDuration(option: string, text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * unitMs[unit as keyof typeof unitMs];
  throw new UsageError(`${option} takes a length of time such as 30m, 24h or 90d, not ${text}`);
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `2h` is two hours ago; otherwise a date, in UTC where it names no zone. */
export function toTime(option: string, text: string, now: number): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * unitMs[unit as keyof typeof unitMs];
  const zoned = /(?:[zZ]|[+-]\d\d:?\d\d)$/.test(text) || !text.includes('T') ? text : `${text}Z`;
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(zoned) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new UsageError(
    `${option} takes an age such as 30m, 2h or 7d, or a date such as 2026-03-01T12:00Z, not ${text}`,
  );
}

export function oneOf<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new UsageError(`${option} takes one of ${words.join(', ')}, not ${text}`);
}
