import type { FlowJob, Inspection } from '@bunri/runtime';
import { printable, table } from '../table.ts';

const ms = (value: number | null) => (value === null ? '-' : `${Math.round(value)} ms`);
const at = (time: string | null) => time ?? '-';

/** A request with its stages and the tree of its jobs, as lines. */
export function describeRequest(request: Inspection): string[] {
  const { id, status, owner, priority, generation, source, image, error, question, replay_of: of } = request;
  const retried = generation === 0 ? '' : `, generation ${generation}`;
  const taken =
    source.kind === 'upload'
      ? `${source.key} (${source.size_bytes} bytes, sha256 ${source.sha256.slice(0, 12)}…)`
      : source.kind === 'url'
        ? source.url
        : `${source.key} (${source.size_bytes} bytes)`;
  const facts: [string, string][] = [
    ['owner', owner],
    ['class', `${priority}${retried}`],
    ['created', request.created_at],
    ['deadline', request.deadline_at],
    ['ended', at(request.completed_at)],
    ['photo', taken],
    ...(image ? [['image', image.key] satisfies [string, string]] : []),
    ...(of === null ? [] : [['replay of', of] satisfies [string, string]]),
    ...(question === undefined ? [] : [['question', question] satisfies [string, string]]),
    ...(error
      ? [['error', `${error.code} at ${error.stage ?? 'no stage'}: ${error.message}`] satisfies [string, string]]
      : []),
  ];
  const stages = request.stages.map((stage) => [
    stage.name,
    stage.status,
    String(stage.attempts),
    String(stage.lost),
    at(stage.started_at),
    ms(stage.duration_ms),
    stage.engine?.model ?? '-',
    stage.degraded === null ? '' : `fallback: ${stage.degraded}`,
  ]);
  return [
    `${id}  ${status}`,
    ...facts.map(([name, value]) => `  ${name.padEnd(9)}  ${printable(value)}`),
    '',
    ...table(['STAGE', 'STATUS', 'STARTS', 'LOST', 'STARTED', 'TOOK', 'MODEL', ''], stages),
    '',
    ...describeJobs(request.jobs),
  ];
}

/** The tree from its root, which waits for all others. */
function describeJobs(jobs: readonly FlowJob[]): string[] {
  const root = jobs.find((job) => !jobs.some(({ waits_for: names }) => names.includes(job.stage)));
  const rows = root ? rowsOf(root, jobs, 0) : [];
  return table(['JOB', 'STATE', 'TRIES', 'ADDED', 'TAKEN', 'FINISHED', 'REASON'], rows);
}

function rowsOf(job: FlowJob, jobs: readonly FlowJob[], depth: number): string[][] {
  const children = jobs.filter(({ stage }) => job.waits_for.includes(stage));
  const name = depth === 0 ? job.stage : `${'  '.repeat(depth - 1)}└ ${job.stage}`;
  const tries = job.attempts_made === null ? '-' : String(job.attempts_made);
  const times = [at(job.added_at), at(job.processed_at), at(job.finished_at)];
  const own = [name, job.state, tries, ...times, job.failed_reason ?? ''];
  return [own, ...children.flatMap((child) => rowsOf(child, jobs, depth + 1))];
}
