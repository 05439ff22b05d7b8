import type { Job } from 'bullmq';
import { jobDataSchema, stages, type StageName } from '@bunri/queue-contracts';
import type { Operator } from '@bunri/runtime';
import { parse } from '../args.ts';
import type { Command } from '../command.ts';
import { age, asJson, table } from '../table.ts';
import { lookAt, nextJobs, readySince, waitingIn, type KnownQueue, type QueueLook } from './look.ts';
import { withQueue } from './one-queue.ts';

interface JobLook {
  readonly job_id: string;
  readonly request_id: string | null;
  readonly state: 'active' | 'next';
  readonly age_seconds: number;
  readonly attempts_made: number;
}

type Setting = string | number | Readonly<Record<string, number>>;
type QueueDescription = QueueLook & { settings: Record<string, Setting> | null; jobs: JobLook[] };

const shown = 10;

export const describeQueue: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } });
  const operator = await open();
  const description = await withQueue(operator, positionals, async (known): Promise<QueueDescription> => {
    const [look, jobs] = await Promise.all([lookAt(operator, known), jobsOf(operator, known)]);
    return { ...look, settings: known.stage === undefined ? null : settingsOf(known.stage), jobs };
  });
  for (const line of values.json ? [asJson(description)] : describe(description)) io.out(line);
  return 0;
};

/** As the catalogue has them; a worker's CONCURRENCY may differ, which its slots show. */
function settingsOf(stage: StageName): Record<string, Setting> {
  const { resource, attempts, backoff, timeoutMs, concurrency, replicas } = stages[stage];
  return {
    resource,
    attempts,
    backoff: { delay_ms: backoff.delayMs, max_delay_ms: backoff.maxDelayMs, jitter: backoff.jitter },
    timeout_ms: timeoutMs,
    concurrency,
    replicas,
  };
}

/** What runs, the longest first, then what is taken next in each class. */
async function jobsOf(operator: Operator, { queue }: KnownQueue): Promise<JobLook[]> {
  const { now } = operator;
  const active = (await queue.getActive(0, shown - 1)).filter((job) => job !== undefined) as Job[];
  const next = (await nextJobs(operator, queue, shown)).slice(0, 2 * shown);
  const running = active
    .map((job) => toLook(job, 'active', now() - (job.processedOn ?? job.timestamp)))
    .toSorted((a, b) => b.age_seconds - a.age_seconds);
  const waiting = await Promise.all(
    next.map(async (job) => toLook(job, 'next', now() - (await readySince(operator, job)))),
  );
  return [...running, ...waiting];
}

function toLook(job: Job, state: JobLook['state'], ageMs: number): JobLook {
  const data = jobDataSchema.safeParse(job.data);
  return {
    job_id: job.id ?? '',
    request_id: data.success ? data.data.requestId : null,
    state,
    age_seconds: Math.max(0, Math.round(ageMs / 1000)),
    attempts_made: job.attemptsMade,
  };
}

function describe(described: QueueDescription): string[] {
  const { queue, state, waiting, settings, jobs, per_minute: rate } = described;
  const slots = described.slots === null ? '' : `, ${described.slots} slots`;
  const oldest = waitingIn(described) === 0 ? '' : `; the oldest for ${age(described.oldest_seconds)}`;
  const facts: [string, string][] = [
    [
      'waiting',
      `${waiting.interactive} interactive, ${waiting.batch} batch, ${waiting.unclassed} of no class${oldest}`,
    ],
    [
      'elsewhere',
      `${described.active} active, ${described.delayed} delayed, ${described.waiting_children} wait for an earlier stage`,
    ],
    ['workers', `${described.workers}${slots}`],
    ['a minute', `${rate.completed} completed, ${rate.failed} failed`],
    ...Object.entries(settings ?? {}).map(([name, value]): [string, string] => [name, inWords(value)]),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const rows = jobs.map((job) => [
    job.state,
    age(job.age_seconds),
    String(job.attempts_made),
    job.request_id ?? '-',
    job.job_id,
  ]);
  return [
    `${queue}  ${state === 'held' ? `held for ${described.held_seconds} s by a rate limit` : state}`,
    ...facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    ...(rows.length > 0 ? ['', ...table(['JOBS', 'FOR', 'TRIES', 'REQUEST', 'JOB'], rows)] : []),
  ];
}

function inWords(value: Setting): string {
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([name, part]) => `${name} ${part}`)
    .join(', ');
}
