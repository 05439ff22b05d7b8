import { stageNames } from '@bunri/queue-contracts';
import type { ReplayDiff } from '@bunri/runtime';
import { printable, table } from '../table.ts';

const ms = (value: number | null) => (value === null ? '-' : `${Math.round(value)} ms`);
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
  const rows = stageNames.flatMap((name) => {
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
