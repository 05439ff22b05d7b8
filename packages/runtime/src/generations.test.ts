import { afterEach, expect, test } from '@jest/globals';
import type { StageName } from '@bunri/queue-contracts';
import { PermanentError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { flowOrder } from './record.ts';

afterEach(closePipelines);

/** A pipeline whose vision stage fails until it is mended, and a request that has failed there. */
async function failedRequest() {
  let broken = true;
  const pipeline = await startPipeline({
    vision: async () => {
      if (broken) throw new PermanentError('model_auth_failed', 'The key is wrong.');
      return await Promise.resolve(outputs.vision);
    },
  });
  const id = await pipeline.submit();
  const { record } = await pipeline.ended(id);
  return { ...pipeline, id, record, mend: () => (broken = false) };
}

test('a failed request that is opened again goes on from the stage that failed, and is completed', async () => {
  const { record, mend, records, flows, ended, runs } = await failedRequest();
  expect(record).toMatchObject({ status: 'failed', generation: 0 });
  mend();
  const deadlineAt = Date.now() + 30_000;
  const reopened = await records.reopen(record, { from: 'failed', deadlineAt, priority: 'batch' });
  if (reopened.outcome !== 'reopened') throw new Error('not reopened');
  expect(flowOrder(reopened.record)).toMatchObject({ generation: 1, from: 'vision', priority: 'batch', deadlineAt });
  await flows.add(flowOrder(reopened.record));
  const { record: now, types } = await ended(record.request.id);
  expect(now).toMatchObject({ status: 'completed', error: null, generation: 1, request: { deadlineAt } });
  expect(types.filter((type) => ['failed', 'retried', 'completed'].includes(type))).toEqual([
    'failed',
    'retried',
    'completed',
  ]);
  expect(runs).toEqual({ preprocess: 1, vision: 2, rag: 1, llm: 1 });
});

test('of two operators who retry a request at once, one does', async () => {
  const { record, records } = await failedRequest();
  const tries = await Promise.all([1, 2, 3].map(async () => await records.reopen(record, { from: 'failed' })));
  expect(tries.map(({ outcome }) => outcome).toSorted()).toEqual(['closed', 'closed', 'reopened']);
});

test('a job of an earlier generation changes nothing, whether it runs, fails or is found dead', async () => {
  const { record, records, id, runs } = await failedRequest();
  await records.reopen(record, { from: 'failed' });
  expect(await records.start({ id, stage: 'vision', token: 'old' })).toEqual({ outcome: 'void' });
  const lost = { code: 'worker_lost', message: 'Lost.', stage: 'vision', retryable: true } as const;
  expect(await records.fail(id, lost, { generation: 0 })).toEqual({ outcome: 'fenced' });
  expect(await records.get(id)).toMatchObject({ status: 'queued', generation: 1 });
  expect(runs.vision).toBe(1);
});

test('what failed on our side is a dead letter until it is opened again, what the client sent wrong is none', async () => {
  const { record, records, id } = await failedRequest();
  expect(await records.deadLetters(10)).toMatchObject([{ id }]);
  expect(await records.finishedBefore(Date.now() + 1, 10)).toEqual([]);
  await records.reopen(record, { from: 'failed' });
  expect(await records.deadLetters(10)).toEqual([]);
  const image = { code: 'image_undecodable', message: 'No image.', stage: 'preprocess', retryable: false } as const;
  await records.fail(id, image);
  expect(await records.deadLetters(10)).toEqual([]);
  expect(await records.finishedBefore(Date.now() + 1, 10)).toEqual([id]);
});

test('who found a request overdue does not end it after it was opened again, nor take it out of the open ones', async () => {
  const { record, records, id } = await failedRequest();
  await records.reopen(record, { from: 'failed', deadlineAt: Date.now() + 60_000 });
  const late = { code: 'deadline_exceeded', message: 'Late.', stage: null, retryable: true } as const;
  expect(await records.fail(id, late, { overdue: true })).toEqual({ outcome: 'fenced' });
  expect(await records.drop(id)).toBe(false);
  expect(await records.open(10, 0)).toEqual([id]);
  await records.cancel(id);
  expect(await records.drop(id)).toBe(true);
});

test('a request with outputs from the start begins at its first stage without one', async () => {
  const { submit, ended, runs } = await startPipeline();
  const given: Partial<Record<StageName, unknown>> = { preprocess: outputs.preprocess, vision: outputs.vision };
  const { record } = await ended(await submit({}, given));
  expect(record.status).toBe('completed');
  expect(runs).toEqual({ preprocess: 0, vision: 0, rag: 1, llm: 1 });
  expect(record.stages.vision).toMatchObject({ cached: true, attempts: 0 });
});
