import { afterEach, expect, test } from '@jest/globals';
import { until } from '@bunri/testkit/until';
import { createDeadLetters } from './dead-letters.ts';
import { newRequestId } from './enqueue.ts';
import { PermanentError } from './errors.ts';
import { createInspector, type Inspector } from './inspection.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';

const inspectors: Inspector[] = [];
afterEach(async () => {
  for (const inspector of inspectors.splice(0)) await inspector.close();
  await closePipelines();
});

/** A pipeline whose vision stage fails until it is mended. */
async function inspectedPipeline() {
  let broken = true;
  const pipeline = await startPipeline({
    vision: async () => {
      if (broken) throw new PermanentError('model_auth_failed', 'The model API rejected the credentials.');
      return await Promise.resolve(outputs.vision);
    },
  });
  const inspector = createInspector(pipeline);
  inspectors.push(inspector);
  return { ...pipeline, inspector, letters: createDeadLetters(pipeline), mend: () => (broken = false) };
}

test('the flow of a request is shown with the times of its jobs, and what is not there as absent', async () => {
  const { submit, ended, letters, inspector, mend, job } = await inspectedPipeline();
  const id = await submit({ question: 'a private question' });
  await ended(id);
  await until(async () => (await (await job(id, 'vision'))?.isFailed()) === true);
  const dead = await inspector.inspect(id);
  expect(dead).toMatchObject({
    dead_letter: true,
    status: 'failed',
    generation: 0,
    source: { kind: 'upload', key: 'uploads/x', size_bytes: 10 },
    error: { code: 'model_auth_failed', stage: 'vision' },
  });
  expect(JSON.stringify(dead)).not.toContain('private');
  expect(await inspector.inspect(id, { question: true })).toMatchObject({ question: 'a private question' });
  const stage = dead?.stages.find(({ name }) => name === 'vision');
  expect(stage).toMatchObject({ status: 'failed', attempts: 1, lost: 0, duration_ms: expect.any(Number) });
  const [, vision] = dead?.jobs ?? [];
  expect(vision).toMatchObject({
    stage: 'vision',
    waits_for: ['preprocess'],
    state: 'failed',
    attempts_made: 1,
    failed_reason: 'The model API rejected the credentials.',
  });
  for (const at of [vision?.added_at, vision?.processed_at, vision?.finished_at])
    expect(Date.parse(at ?? '')).not.toBeNaN();

  mend();
  await letters.retry([id]);
  await ended(id);
  const jobs = (await inspector.inspect(id))?.jobs ?? [];
  expect(jobs.map(({ job_id }) => job_id)).toEqual(
    ['preprocess', 'vision', 'rag', 'llm'].map((name) => `${id}-${name}-r1`),
  );
  expect(jobs[0]).toMatchObject({ state: 'absent', attempts_made: null, added_at: null });
  expect(await inspector.inspect(newRequestId())).toBeNull();
});

test('a URL is shown without what may be a signature', async () => {
  const { inspector, submit } = await inspectedPipeline();
  const id = await submit({ source: { kind: 'url', url: 'https://me:pass@example.com/a.jpg?token=secret#x' } });
  expect((await inspector.inspect(id))?.source).toEqual({ kind: 'url', url: 'https://example.com/a.jpg' });
});
