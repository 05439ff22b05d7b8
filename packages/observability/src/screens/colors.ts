import type { AskingPanel } from './dashboard-file.ts';

/** Grafana's names, as they look on its dark page. */
const named: Readonly<Record<string, string>> = {
  green: '#73bf69',
  orange: '#ff9830',
  red: '#f2495c',
  yellow: '#fade2a',
  blue: '#5794f2',
  purple: '#b877d9',
};

/** Grafana's classic palette, in its order. */
const palette = [
  '#73bf69',
  '#f2cc0c',
  '#8ab8ff',
  '#ff780a',
  '#f2495c',
  '#5794f2',
  '#b877d9',
  '#705da0',
  '#37872d',
  '#fade2a',
  '#447ebc',
  '#c15c17',
  '#890f02',
  '#0a437c',
  '#6d1f62',
  '#584477',
  '#b7dbab',
  '#f4d598',
  '#70dbed',
  '#f9ba8f',
  '#f29191',
  '#82b5d8',
  '#e5a8e2',
  '#aea2e0',
  '#629e51',
  '#e5ac0e',
  '#64b0c8',
  '#e0752d',
] as const;

export function paletteColor(index: number): string {
  return palette[index % palette.length] ?? palette[0];
}

/** @throws on a name that has no colour here. */
export function colorOf(name: string): string {
  const color = /^#[0-9a-f]{6}$/i.test(name) ? name : named[name];
  if (color === undefined) throw new Error(`No colour is called ${name}.`);
  return color;
}

type Steps = AskingPanel['fieldConfig']['defaults']['thresholds']['steps'];

/** Of the last step that the value reaches. */
export function thresholdColor(value: number, steps: Steps): string {
  const reached = steps.filter((step) => step.value === null || value >= step.value);
  return colorOf((reached.at(-1) ?? steps[0])?.color ?? 'green');
}
