import { stageOrder } from '@bunri/queue-contracts';
import type { FlowJob, Inspection, ReplayDiff } from '@bunri/runtime';

/** Columns as wide as their widest cell; the last one runs free. */
export function table(head: string[], rows: string[][]): string[] {
  const all = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** What a model or a client wrote must not command the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ');
}

export function age(seconds: number): string {
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

const ms = (value: number | null) => (value === null ? '-' : `${Math.round(value)} ms`);
const at = (time: string | null) => time ?? '-';

/** A request with its stages and the tree of its jobs, as lines. */
export function describeRequest(request: Inspection): string[] {
  const { id, status, owner, priority, generation, source, image, error, question, replay_of: of } = request;
  const retried = generation === 0 ? '' : `, generation ${generation}`;
  const taken =
    source.kind === 'upload'
      ? `${source.key} (${source.size_bytes} bytes, sha256 ${source.sha256.slice(0, 12)}…)`
      : source.url;
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

const usd = (value: number) => `$${value.toFixed(6)}`;
const signedUsd = (value: number) => `${value < 0 ? '-' : '+'}${usd(Math.abs(value))}`;
const shown = (value: unknown) =>
  printable(value === null ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value));

/** What a replay changed, as lines: what went with a minus, what came with a plus. */
export function describeDiff(diff: ReplayDiff): string[] {
  const { status, error, classification, guidance } = diff;
  const change = (name: string, { before, after }: { before: unknown; after: unknown }) => [
    `${name}:`,
    `  - ${shown(before)}`,
    `  + ${shown(after)}`,
  ];
  const lists = (['steps', 'warnings', 'missing', 'sources'] as const).flatMap((name) => {
    const list = guidance[name];
    if (!list) return [];
    const text = (value: unknown) => (name === 'steps' ? stepText(value as Step) : shown(value));
    const reworded = guidance.steps && name === 'steps' ? guidance.steps.reworded : [];
    const reordered = name === 'steps' && guidance.steps?.reordered === true;
    return [
      `${name}${reordered ? ' (in another order)' : ''}:`,
      ...list.removed.map((value) => `  - ${text(value)}`),
      ...list.added.map((value) => `  + ${text(value)}`),
      ...reworded.flatMap(({ rule_ids, before, after }) => [
        `  - ${stepText({ text: before, rule_ids })}`,
        `  + ${stepText({ text: after, rule_ids })}`,
      ]),
    ];
  });
  return [
    `${diff.before} → ${diff.after}${diff.same ? ': the same answer' : ''}`,
    ...(status ? change('status', status) : []),
    ...(error ? change('error', error) : []),
    ...classification.flatMap(({ field, ...changed }) => change(field, changed)),
    ...(guidance.answer ? change('answer', guidance.answer) : []),
    ...lists,
    '',
    ...describeStages(diff),
  ];
}

type Step = NonNullable<ReplayDiff['guidance']['steps']>['added'][number];

function stepText({ text, rule_ids: ids }: Step): string {
  return printable(`${text} [${ids.join(', ')}]`);
}

function describeStages({ stages, cost }: ReplayDiff): string[] {
  const rows = stageOrder.flatMap((name) => {
    const stage = stages.find((each) => each.name === name);
    const paid = cost.stages.find((each) => each.name === name);
    if (!stage && !paid) return [];
    if (stage?.taken_over) return [[name, 'taken over', '', '']];
    const { duration_ms: time, engine, degraded, cached } = stage ?? {};
    const notes = [
      ...(engine ? [`${modelOf(engine.before)} → ${modelOf(engine.after)}`] : []),
      ...(degraded ? [`fallback: ${degraded.before ?? 'none'} → ${degraded.after ?? 'none'}`] : []),
      ...(cached ? [cached.before ? 'was cached' : 'is cached'] : []),
    ];
    const money = paid ? `${usd(paid.before?.cost_usd ?? 0)} → ${usd(paid.after?.cost_usd ?? 0)}` : '';
    return [[name, time ? `${ms(time.before)} → ${ms(time.after)}` : 'the same time', money, notes.join('; ')]];
  });
  return [
    ...table(['STAGE', 'TIME', 'COST', ''], rows),
    `Cost of what was run again: ${usd(cost.before_usd)} → ${usd(cost.after_usd)} (${signedUsd(cost.difference_usd)})`,
  ];
}

type Engine = NonNullable<NonNullable<ReplayDiff['stages'][number]['engine']>['before']>;

function modelOf(engine: Engine | null): string {
  if (!engine) return 'none';
  return printable(`${engine.model}${engine.prompt_version === undefined ? '' : ` (prompt ${engine.prompt_version})`}`);
}
