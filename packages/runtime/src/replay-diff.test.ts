import { expect, test } from '@jest/globals';
import { failure, type Guidance, type Resource, type Usage } from '@bunri/queue-contracts';
import { outputs } from './pipeline-fixture.ts';
import { diffOutcomes, replayDiffSchema } from './replay-diff.ts';

const idOf = (digit: string) => `req_${digit.repeat(32)}`;
const usage = (cost_usd: number): Usage => ({ input_tokens: 10, output_tokens: 5, cost_usd });
const engine = { provider: 'fake', model: 'fake-1', prompt_version: '1' };

function stage(name: string, over: Partial<Resource['stages'][number]> = {}): Resource['stages'][number] {
  const times = { started_at: '2026-03-01T00:00:00.000Z', duration_ms: 100 };
  return { name, status: 'completed', attempts: 1, cached: false, engine: null, degraded: null, ...times, ...over };
}

function resource(over: Partial<Resource> = {}): Resource {
  return {
    id: idOf('1'),
    status: 'completed',
    created_at: '2026-03-01T00:00:00.000Z',
    completed_at: '2026-03-01T00:00:01.000Z',
    deadline_at: '2026-03-01T00:02:00.000Z',
    stages: [stage('preprocess'), stage('vision', { engine }), stage('rag'), stage('llm', { engine })],
    image: null,
    question: 'How?',
    locale: 'en',
    classification: outputs.vision.classification,
    guidance: outputs.llm.guidance,
    usage: { vision: usage(0.01), llm: usage(0.002) },
    cached: false,
    degraded: false,
    clarification: null,
    clarifies: null,
    replay_of: null,
    models: null,
    region: null,
    metadata: null,
    webhook_url: null,
    batch: null,
    trace_id: null,
    error: null,
    ...over,
  };
}

function diff(before: Partial<Resource>, after: Partial<Resource>) {
  const result = diffOutcomes(resource(before), resource({ id: idOf('2'), replay_of: idOf('1'), ...after }));
  expect(replayDiffSchema.parse(result)).toEqual(result);
  return result;
}

const guidance = (over: Partial<Guidance>): Partial<Resource> => ({
  guidance: { ...outputs.llm.guidance, ...over },
});

test('nothing is listed of what is equal', () => {
  expect(diff({}, {})).toEqual({
    before: idOf('1'),
    after: idOf('2'),
    same: true,
    classification: [],
    guidance: {},
    stages: [],
    cost: {
      stages: [
        { name: 'vision', taken_over: false, before: usage(0.01), after: usage(0.01), cost_difference_usd: 0 },
        { name: 'llm', taken_over: false, before: usage(0.002), after: usage(0.002), cost_difference_usd: 0 },
      ],
      before_usd: 0.012,
      after_usd: 0.012,
      difference_usd: 0,
    },
  });
});

test('a classification is compared field by field, the condition too, and not by who made it', () => {
  const { classification } = outputs.vision;
  const other = {
    ...classification,
    confidence: 0.5,
    condition: { ...classification.condition, cap: 'off' as const },
    engine: { provider: 'other', model: 'other-1' },
  };
  const { classification: changes, same } = diff({}, { classification: other });
  expect(changes).toEqual([
    { field: 'confidence', before: 0.9, after: 0.5 },
    { field: 'condition.cap', before: 'on', after: 'off' },
  ]);
  expect(same).toBe(false);
});

test('steps are the same step when they cite the same rules, whatever their order', () => {
  const step = (text: string, ...rule_ids: string[]) => ({ text, rule_ids });
  const before = [step('Rinse.', 'r1', 'r2'), step('Press.', 'r3'), step('Fold.', 'r3'), step('Sort.', 'r4')];
  const after = [step('Fold.', 'r3'), step('Rinse well.', 'r2', 'r1'), step('Press it.', 'r3'), step('Bag.', 'r5')];
  expect(diff(guidance({ steps: before }), guidance({ steps: after })).guidance).toEqual({
    steps: {
      removed: [step('Sort.', 'r4')],
      added: [step('Bag.', 'r5')],
      reworded: [
        { rule_ids: ['r1', 'r2'], before: 'Rinse.', after: 'Rinse well.' },
        { rule_ids: ['r3'], before: 'Press.', after: 'Press it.' },
      ],
      reordered: true,
    },
  });
});

test('answers, warnings, questions and sources are compared', () => {
  const one = { rule_id: 'r1', version: '1' };
  const two = { rule_id: 'r1', version: '2' };
  const changed = diff(
    guidance({ answer: 'A', warnings: ['hot', 'sharp'], sources: [one] }),
    guidance({ answer: 'B', warnings: ['sharp', 'wet'], missing: ['cap?'], sources: [two] }),
  );
  expect(changed.guidance).toEqual({
    answer: { before: 'A', after: 'B' },
    warnings: { removed: ['hot'], added: ['wet'] },
    missing: { removed: [], added: ['cap?'] },
    sources: { removed: [one], added: [two] },
  });
});

test('a failure on one side is told with what is missing on the other', () => {
  const error = failure('model_refused', 'The model refused.', 'llm');
  const changed = diff(
    {},
    { status: 'failed', error, guidance: null, clarification: null, clarifies: null, usage: { vision: usage(0.01) } },
  );
  expect(changed).toMatchObject({
    same: false,
    status: { before: 'completed', after: 'failed' },
    error: { before: null, after: error },
    guidance: { answer: { before: 'Rinse it.', after: null }, steps: { removed: outputs.llm.guidance.steps } },
    cost: { difference_usd: -0.002 },
  });
  expect(changed.cost.stages[1]).toMatchObject({ after: null, cost_difference_usd: null });
});

test('engines, prompts, fallbacks, caches and times are told by stage, a stage that was taken over as such', () => {
  const stages = [
    stage('preprocess', { attempts: 0, cached: true, duration_ms: 0 }),
    stage('vision', { attempts: 0, cached: true, duration_ms: 0, engine }),
    stage('rag', { attempts: 0, cached: true, duration_ms: 0 }),
    stage('llm', { duration_ms: 250, engine: { ...engine, prompt_version: '2' }, degraded: 'model_unavailable' }),
  ];
  const changed = diff({}, { stages, usage: { vision: usage(0), llm: usage(0.005) } });
  expect(changed.stages).toEqual([
    { name: 'preprocess', taken_over: true },
    { name: 'vision', taken_over: true },
    { name: 'rag', taken_over: true },
    {
      name: 'llm',
      taken_over: false,
      engine: { before: engine, after: { ...engine, prompt_version: '2' } },
      degraded: { before: null, after: 'model_unavailable' },
      duration_ms: { before: 100, after: 250, difference: 150 },
    },
  ]);
  expect(changed.cost).toMatchObject({ before_usd: 0.002, after_usd: 0.005, difference_usd: 0.003 });
  expect(changed.same).toBe(true);
});
