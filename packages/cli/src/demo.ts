// `npm run demo -- [photo] [question] [--locale ko|en] [--models LIST] [--simulator] [--json] [--keep] [--fresh] [--verbose]`
import { readFile, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient, type ClassificationEvent } from '@bunri/client';
import type { Locale } from '@bunri/queue-contracts';
import { drawSamplePhoto } from '@bunri/testkit';
import { claimDataDir } from './data-dir.ts';
import { printer, type Printer } from './print.ts';
import { startSystem, type BunriSystem } from './system.ts';

const usage = `Usage: npm run demo -- [photo] [question] [options]

Starts bunri on this machine, sends it a photo and a question, and shows how the answer is made.
Without a photo it sends one that it draws itself.

  --locale ko|en  language of the answer (ko)
  --models LIST   who looks at the photo: local, a model of the API, or both (gpt-5,local)
  --simulator     let a simulator make up the answers that models would give
  --json          print the finished resource as JSON on standard output, progress on standard error
  --keep          leave everything running after the answer, until Ctrl-C
  --fresh         forget what earlier demos stored
  --verbose       show the apps' log lines

Given servers are used where set: REDIS_URL, S3_ENDPOINT with S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY,
OPENAI_API_KEY with OPENAI_BASE_URL. What is not set is embedded; without a key a small model on this machine estimates what
the thing is made of, and the guidance is made from the rules alone.
`;

const questions: Record<Locale, string> = { ko: '이거 어떻게 버려요?', en: 'How do I throw this away?' };

interface DemoOptions {
  readonly photo: string | undefined;
  readonly question: string;
  readonly locale: Locale;
  readonly models: string | undefined;
  readonly simulator: boolean;
  readonly json: boolean;
  readonly keep: boolean;
  readonly fresh: boolean;
  readonly verbose: boolean;
}

function parseOptions(args: string[]): DemoOptions | 'help' {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      locale: { type: 'string', default: 'ko' },
      models: { type: 'string' },
      simulator: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const { locale } = values;
  if (locale !== 'ko' && locale !== 'en') throw new Error(`--locale takes ko or en, not ${locale}`);
  if (positionals.length > 2) throw new Error('a photo and a question, at most; put the question in quotes');
  return {
    ...values,
    locale,
    models: values.models,
    photo: positionals[0],
    question: positionals[1] ?? questions[locale],
  };
}

/** @returns the exit code. */
async function demo(options: DemoOptions, stopping: AbortSignal): Promise<number> {
  const print = printer(options);
  const photo = options.photo === undefined ? await samplePhoto() : await readPhoto(options.photo);
  const { dir, release } = await claimDataDir(print);
  let system: BunriSystem | undefined;
  try {
    if (options.fresh) await rm(dir, { recursive: true, force: true });
    const startedAt = performance.now();
    const starting = startSystem({
      // A simulator that is asked for answers, whatever key is set.
      env: options.simulator ? { ...process.env, OPENAI_API_KEY: undefined } : process.env,
      withoutKey: options.simulator ? 'simulator' : 'built-in',
      local: options.models?.split(',').includes('local') ?? false,
      dataDir: dir,
      onLine: (app, line) => {
        if (options.verbose) process.stderr.write(`${app}: ${line}\n`);
      },
    });
    system = await starting;
    print.system(system, performance.now() - startedAt);
    if (stopping.aborted) return 130;
    const completed = await Promise.race([ask(system, photo, options, print), untilAborted(stopping)]);
    if (options.keep && !stopping.aborted) {
      print.keeping(system);
      await untilAborted(stopping);
    }
    if (stopping.aborted) return options.keep && completed ? 0 : 130;
    return completed ? 0 : 1;
  } finally {
    await system?.stop();
    await release();
  }
}

async function readPhoto(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  return { bytes: await readFile(path), name: basename(path) };
}

async function samplePhoto(): Promise<{ bytes: Uint8Array; name: string }> {
  return { bytes: await drawSamplePhoto(), name: 'a drawn sample' };
}

async function untilAborted(signal: AbortSignal): Promise<false> {
  return await new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    else signal.addEventListener('abort', () => resolve(false), { once: true });
  });
}

/** Submits and follows. @returns whether the request was completed. */
async function ask(
  system: BunriSystem,
  photo: { bytes: Uint8Array; name: string },
  { question, locale, models }: DemoOptions,
  print: Printer,
): Promise<boolean> {
  print.question(photo.name, question);
  const client = createClient({ baseUrl: system.apiUrl });
  const wanted = { question, locale, models: models?.split(','), fileName: photo.name };
  const submitted = await client.submit(photo.bytes, wanted);
  const { id } = submitted.resource;
  const onEvent = (event: ClassificationEvent) => print.progress(event);
  const resource = submitted.finished ? submitted.resource : await client.wait(id, { onEvent });
  print.result(resource, submitted.finished);
  return resource.status === 'completed';
}

async function main(): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(usage);
    return;
  }
  try {
    process.exitCode = await demo(options, stopping.signal);
  } catch (error) {
    // Ctrl-C reaches the apps as well, and one that has not started yet ends then: that is no failure.
    if (!stopping.signal.aborted) throw error;
    process.exitCode = 130;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
