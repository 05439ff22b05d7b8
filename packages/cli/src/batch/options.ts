import { locales, type Locale } from '@bunri/queue-contracts';
import { oneOf, parse, toCount } from '../args.ts';
import { UsageError } from '../command.ts';

/** Where the rows come from. */
export interface Source {
  readonly kind: 'csv' | 'folder' | 'zip';
  readonly path: string;
}

export interface BatchOptions {
  readonly source: Source;
  /** Rows in flight. */
  readonly batchSize: number;
  /** Photos on their way to the server at once. */
  readonly concurrency: number;
  /** For each row, seconds. */
  readonly timeoutS: number;
  readonly question: string | undefined;
  readonly locale: Locale | undefined;
  readonly out: string;
  readonly errors: string;
  /** `auto` goes on with an unfinished run where there is one. */
  readonly journal: 'auto' | 'resume' | 'fresh';
  readonly retryFailed: boolean;
  readonly server: string;
  readonly json: boolean;
  readonly serverSide: boolean;
  readonly maxCostUsd: number | undefined;
  /** How long a server that is away is waited for, ms. */
  readonly patienceMs: number;
}

const defaultServer = 'http://127.0.0.1:8080';

export const optionLines: readonly (readonly [option: string, meaning: string])[] = [
  ['--csv-file <file>', 'rows from CSV: image_url or image (a path beside the file), question, locale, …'],
  ['--folder <folder>', 'a row for each photo in a folder and below it'],
  ['--zip <file>', 'a row for each photo in an archive, or for each row of its manifest.csv'],
  ['--batch-size <10>', 'rows in flight'],
  ['--concurrency <n>', 'photos on their way to the server at once (as many as --batch-size)'],
  ['--timeout <120>', 'seconds that a row may take, from 5 to 86400'],
  ['--question, --locale', 'for rows without their own'],
  ['--out <results.jsonl>', 'the answers, in the order of the rows'],
  ['--errors <errors.jsonl>', 'the rows without an answer'],
  ['--resume, --fresh', 'go on with an unfinished run, or forget it; without either it is gone on with'],
  ['--retry-failed', 'run rows again that failed'],
  ['--server <url>', `the api (BUNRI_SERVER, else ${defaultServer})`],
  ['--server-side', 'hand the file in as one batch, and follow that; with --max-cost <usd>'],
  ['--delete <batch-id>', 'remove a batch that was handed in so, with the requests of its rows; with --yes, --json'],
  ['--patience <120>', 'seconds that a server is waited for that is away'],
  ['--json', 'the summary as JSON on standard output'],
];

/** @throws UsageError */
export function toBatchOptions(args: string[], env: Readonly<Record<string, string | undefined>>): BatchOptions {
  const { values, positionals } = parse(args, {
    'csv-file': { type: 'string' },
    folder: { type: 'string' },
    zip: { type: 'string' },
    'batch-size': { type: 'string', default: '10' },
    concurrency: { type: 'string' },
    timeout: { type: 'string', default: '120' },
    question: { type: 'string' },
    locale: { type: 'string' },
    out: { type: 'string', default: 'results.jsonl' },
    errors: { type: 'string', default: 'errors.jsonl' },
    resume: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    'retry-failed': { type: 'boolean', default: false },
    server: { type: 'string' },
    'server-side': { type: 'boolean', default: false },
    'max-cost': { type: 'string' },
    patience: { type: 'string', default: '120' },
    json: { type: 'boolean', default: false },
  });
  if (positionals[0] !== undefined) throw new UsageError(`${positionals[0]} is no option`);
  if (values.resume && values.fresh) throw new UsageError('--resume and --fresh exclude each other');
  const sources = [
    { kind: 'csv', path: values['csv-file'] },
    { kind: 'folder', path: values.folder },
    { kind: 'zip', path: values.zip },
  ].filter((source): source is Source => source.path !== undefined);
  const [source, second] = sources;
  if (!source || second) throw new UsageError('give one of --csv-file, --folder and --zip');
  if (values['server-side'] && source.kind === 'folder')
    throw new UsageError('--server-side takes --csv-file or --zip');
  if (values.out === values.errors) throw new UsageError('--out and --errors name the same file');
  const batchSize = toCount('--batch-size', values['batch-size'], 1_000);
  const timeoutS = toCount('--timeout', values.timeout, 86_400);
  if (timeoutS < 5) throw new UsageError('--timeout takes 5 seconds at least');
  return {
    source,
    batchSize,
    concurrency: values.concurrency === undefined ? batchSize : toCount('--concurrency', values.concurrency, 1_000),
    timeoutS,
    question: values.question,
    locale: values.locale === undefined ? undefined : oneOf<Locale>('--locale', values.locale, locales),
    out: values.out,
    errors: values.errors,
    journal: values.resume ? 'resume' : values.fresh ? 'fresh' : 'auto',
    retryFailed: values['retry-failed'],
    server: toServer(values.server, env),
    patienceMs: toCount('--patience', values.patience, 86_400) * 1000,
    json: values.json,
    serverSide: values['server-side'],
    maxCostUsd: values['max-cost'] === undefined ? undefined : toUsd(values['max-cost']),
  };
}

/** @throws UsageError */
export function toServer(given: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const text = given ?? env['BUNRI_SERVER'] ?? defaultServer;
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol)) return text;
  throw new UsageError(`--server takes an http or https URL, not ${text}`);
}

function toUsd(text: string): number {
  const usd = Number(text);
  if (usd > 0 && Number.isFinite(usd)) return usd;
  throw new UsageError(`--max-cost takes an amount of US dollars, not ${text}`);
}
