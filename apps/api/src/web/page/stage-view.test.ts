import { expect, test } from '@jest/globals';
import type { ClassificationEvent, Resource } from '@bunri/client';
import { afterEvent, secondsText, stagesOf } from './stage-view.ts';

type Stage = Resource['stages'][number];
const at = '2026-01-01T00:00:00Z';
const stage = (name: string, over: Partial<Stage> = {}): Stage => ({
  name,
  status: 'pending',
  started_at: null,
  duration_ms: null,
  attempts: 0,
  cached: false,
  engine: null,
  degraded: null,
  ...over,
});
const event = (type: string, over: Partial<ClassificationEvent> = {}): ClassificationEvent => ({
  seq: 2,
  type,
  at,
  stage: 'vision',
  ...over,
});

test('a stage that is only there where it is asked for is not shown where nobody did', () => {
  const stages = [stage('vision'), stage('vision.local'), stage('llm', { status: 'skipped' })];
  expect(stagesOf({ stages }, 0).map(({ name }) => name)).toEqual(['vision', 'llm']);
  const asked = [stage('vision.local', { status: 'running', started_at: at })];
  expect(stagesOf({ stages: asked }, 0)).toMatchObject([{ name: 'vision.local', state: 'running' }]);
});

test('a stage that runs began in the past, whatever the server’s clock says', () => {
  const stages = [stage('vision', { status: 'running', started_at: at })];
  expect(stagesOf({ stages }, 5)[0]?.startedAt).toBe(5);
  expect(stagesOf({ stages }, Date.parse(at) + 900)[0]?.startedAt).toBe(Date.parse(at));
});

test('events move their stage alone: it starts, tries again, starts anew and ends with its time', () => {
  const begun = stagesOf(
    { stages: [stage('preprocess', { status: 'completed', duration_ms: 9 }), stage('vision')] },
    0,
  );
  const steps = [
    event('stage.started', { attempt: 1 }),
    event('stage.retrying'),
    event('stage.started', { attempt: 2 }),
    event('answer.delta', { stage: 'vision' }),
    event('stage.completed', { duration_ms: 1234, cached: true }),
  ];
  const seen: unknown[] = [];
  steps.reduce((views, step) => {
    const next = afterEvent(views, step, 70);
    seen.push([next[0]?.state, next[1]?.state, next[1]?.startedAt, next[1]?.tries]);
    return next;
  }, begun);
  expect(seen).toEqual([
    ['done', 'running', 70, 1],
    ['done', 'retrying', null, 1],
    ['done', 'running', 70, 2],
    ['done', 'running', 70, 2],
    ['done', 'done', null, 2],
  ]);
  expect(afterEvent(begun, event('stage.started', { stage: 'nowhere' }), 1)).toEqual(begun);
});

test.each([
  [40, '0.0'],
  [1_240, '1.2'],
  [9_949, '9.9'],
  [9_951, '10'],
  [61_400, '61'],
])('%i ms are read as %s seconds', (ms, text) => {
  expect(secondsText(ms)).toBe(text);
});
