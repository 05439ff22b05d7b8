import type { Run } from './report.ts';
import { ratio } from './score.ts';

/** What an evaluation must reach to pass. Shares from 0 to 1. */
export interface Thresholds {
  readonly category: number;
  readonly citationRecall: number;
  readonly forbidden: number;
}

/** Of the rules alone, on the cases that ship. */
export const shippedThresholds: Thresholds = { category: 0.95, citationRecall: 0.9, forbidden: 0 };

/** What a run misses, in words; empty where it passes. What no case asks for misses nothing. */
export function missed({ name, score }: Run, { category, citationRecall, forbidden }: Thresholds): string[] {
  const below = (what: string, value: number | null, least: number) =>
    value !== null && value < least
      ? [`${name}: ${what} is ${(value * 100).toFixed(1)} %, and must be at least ${(least * 100).toFixed(1)} %`]
      : [];
  return [
    ...below('category right', ratio(score.category), category),
    ...below('citation recall', ratio(score.citationRecall), citationRecall),
    ...(score.forbidden > forbidden
      ? [`${name}: ${score.forbidden} forbidden statements, and at most ${forbidden} are allowed`]
      : []),
  ];
}
