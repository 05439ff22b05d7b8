import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { rulesEngine } from './answer-engine.ts';
import { readCases } from './cases.ts';
import { runCases } from './run-cases.ts';
import { missed, shippedThresholds } from './thresholds.ts';

const folder = fileURLToPath(new URL('../cases/', import.meta.url));
const cases = readdirSync(folder).flatMap((name) => readCases(`${folder}${name}`));
const options = {
  engine: rulesEngine(),
  tokenBudget: 800,
  concurrency: 4,
  signal: new AbortController().signal,
  now: () => 0,
};

test('there are at least 300 cases in both languages, each with an id of its own', () => {
  expect(cases.length).toBeGreaterThanOrEqual(300);
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
  expect(cases.filter(({ locale }) => locale === 'en').length).toBeGreaterThanOrEqual(60);
});

test('on the rules alone the cases that ship reach what they must', async () => {
  expect(missed(await runCases(cases, options), shippedThresholds)).toEqual([]);
});

test('nothing that is forbidden is said, and the category is right in 90 of 100, on the traps as well', async () => {
  const traps = cases.filter(({ tags }) => tags.includes('trap'));
  expect(traps.length).toBeGreaterThanOrEqual(40);
  const run = await runCases(traps, options);
  expect(missed(run, { category: 0.9, citationRecall: 0, forbidden: 0 })).toEqual([]);
});
