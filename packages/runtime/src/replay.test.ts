import { afterEach, expect, test } from '@jest/globals';
import { failure } from '@bunri/queue-contracts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { compareReplay, planReplay, ReplayKeyConflict, startReplay, type ReplayModels } from './replay.ts';
import { newRequestId } from './enqueue.ts';
import { toResource } from './record.ts';

afterEach(closePipelines);

/** A pipeline with a finished request. */
async function answered() {
  const pipeline = await startPipeline();
  const id = await pipeline.submit({ owner: 'ann' });
  const { record } = await pipeline.ended(id);
  const replayOf = async (models: ReplayModels) => {
    const started = await startReplay(pipeline, id, models);
    if (started.outcome !== 'accepted') throw new Error(started.outcome);
    return (await pipeline.ended(started.record.request.id)).record;
  };
  return { ...pipeline, id, record, replayOf };
}

test('another llm model takes over everything before the llm, and pays for it alone', async () => {
  const { id, replayOf, runs, records } = await answered();
  const record = await replayOf({ llmModel: 'other' });
  expect(record).toMatchObject({
    status: 'completed',
    request: { owner: 'ann', priority: 'batch', replay: { of: id, llmModel: 'other' } },
  });
  expect(runs).toEqual({ preprocess: 1, vision: 1, rag: 1, llm: 2 });
  expect(toResource(record).usage.vision?.cost_usd).toBe(0);
  const compared = await compareReplay(records, record.request.id);
  if (compared.outcome !== 'compared') throw new Error(compared.outcome);
  const { stages, cost, same } = compared.diff;
  expect(same).toBe(true);
  expect(stages.filter((stage) => stage.taken_over).map(({ name }) => name)).toEqual(['preprocess', 'vision', 'rag']);
  // What was taken over is no saved money.
  expect(cost).toMatchObject({ before_usd: 0.5, after_usd: 0.5, difference_usd: 0 });
  expect(cost.stages[0]).toMatchObject({ name: 'vision', taken_over: true, after: null, cost_difference_usd: null });
});

test.each([
  ['another vision model', { visionModel: 'other' }],
  ['other models for both', { visionModel: 'other', llmModel: 'other' }],
  ['no other model', {}],
])('%s runs all but preprocess again', async (_name, models) => {
  const { replayOf, runs } = await answered();
  expect(await replayOf(models)).toMatchObject({ status: 'completed', request: { replay: models } });
  expect(runs).toEqual({ preprocess: 1, vision: 2, rag: 2, llm: 2 });
});

test('a request that is open, has no photo, or is not there is not replayed', async () => {
  const pipeline = await startPipeline({}, { without: ['preprocess'] });
  const id = await pipeline.submit();
  expect(await startReplay(pipeline, id)).toEqual({ outcome: 'refused', reason: 'open', status: 'queued' });
  await pipeline.records.fail(id, failure('image_undecodable', 'No.', 'preprocess'));
  expect(await startReplay(pipeline, id)).toEqual({ outcome: 'refused', reason: 'no_image', status: 'failed' });
  expect(await startReplay(pipeline, newRequestId())).toEqual({ outcome: 'gone' });
});

test('a replay of a request that failed takes over only what the request has', async () => {
  const pipeline = await startPipeline();
  const id = await pipeline.submit({}, { preprocess: outputs.preprocess });
  const { record } = await pipeline.ended(id);
  const failed = {
    ...record,
    status: 'failed' as const,
    stages: { ...record.stages, vision: { ...record.stages.vision, status: 'failed' as const, output: null } },
  };
  const plan = planReplay(failed, { llmModel: 'other' }, { id: newRequestId(), now: 1_000 });
  expect(plan).toMatchObject({ outcome: 'planned', request: { createdAt: 1_000, deadlineAt: 3_601_000 } });
  expect(plan.outcome === 'planned' && Object.keys(plan.outputs)).toEqual(['preprocess']);
});

test('a replay whose jobs cannot be queued is accepted all the same, for the sweeper', async () => {
  const { records, id } = await answered();
  const flows = { add: async () => await Promise.reject(new Error('Redis went away')) };
  const started = await startReplay({ records, flows }, id);
  expect(started).toMatchObject({ outcome: 'accepted', queued: false });
  expect(await records.unqueued(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1);
});

test('with a key a replay that is asked for again is the first one, queued or not, and nothing else', async () => {
  const { records, id, runs, ended, flows } = await answered();
  const idempotency = { key: 'again', fingerprint: 'a' };
  const dying = { add: async () => await Promise.reject(new Error('Redis went away')) };
  const first = await startReplay({ records, flows: dying }, id, { idempotency });
  if (first.outcome !== 'accepted') throw new Error(first.outcome);
  expect(first).toMatchObject({ queued: false, repeated: false });
  const again = async () => await startReplay({ records, flows }, id, { idempotency });
  const answers = await Promise.all([again(), again(), again()]);
  for (const answer of answers)
    expect(answer).toMatchObject({
      queued: true,
      repeated: true,
      record: { request: { id: first.record.request.id } },
    });
  await ended(first.record.request.id);
  expect(await again()).toMatchObject({ queued: true, repeated: true, record: { status: 'completed' } });
  expect(runs).toEqual({ preprocess: 1, vision: 2, rag: 2, llm: 2 });
  const other = startReplay({ records, flows }, id, { idempotency: { ...idempotency, fingerprint: 'b' } });
  await expect(other).rejects.toBeInstanceOf(ReplayKeyConflict);
});

test('only a replay that has ended, and whose original is still there, is compared', async () => {
  const { records, id } = await answered();
  const flows = { add: async () => await Promise.resolve() };
  const started = await startReplay({ records, flows }, id);
  if (started.outcome !== 'accepted') throw new Error(started.outcome);
  const replayId = started.record.request.id;
  expect(await compareReplay(records, id)).toEqual({ outcome: 'no_replay' });
  expect(await compareReplay(records, newRequestId())).toEqual({ outcome: 'gone' });
  expect(await compareReplay(records, replayId)).toEqual({ outcome: 'open', status: 'queued' });
  await records.cancel(replayId);
  expect(await compareReplay(records, replayId)).toMatchObject({ outcome: 'compared', diff: { same: false } });
  await records.remove(id, 'ann');
  expect(await compareReplay(records, replayId)).toEqual({ outcome: 'original_gone', original: id });
});
