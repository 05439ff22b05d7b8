import { afterEach, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { jobDataVersion, stageJobId } from '@bunri/queue-contracts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';

afterEach(closePipelines);

test('while a release is rolled out, a job of the new payload is left to the new workers and spends nothing', async () => {
  const { submit, ended, records, redis, prefix, runs } = await startPipeline({}, { without: ['preprocess'] });
  const id = await submit();
  const jobId = stageJobId(id, 'vision');
  const queue = new Queue('vision', { connection: redis, prefix });
  const job = await queue.getJob(jobId);
  const version = jobDataVersion + 1;
  await job?.updateData({ ...job.data, v: version, more: 'that this release does not know' });

  // The worker of the present release is served first; it puts the job back, and the new release's takes it.
  const taken: number[] = [];
  const newer = new Worker(
    'vision',
    async ({ data }) => {
      taken.push(data.v);
      if (data.v !== version) throw new Error('not for this worker');
      const run = { id, stage: 'vision', token: 'newer' } as const;
      await records.start(run);
      await records.finish(run, { output: outputs.vision, durationMs: 1, cached: false });
    },
    { connection: redis, prefix, autorun: false },
  );
  await queue.getJob(stageJobId(id, 'preprocess'));
  const stage = { id, stage: 'preprocess', token: 'a' } as const;
  await records.start(stage);
  await records.finish(stage, { output: outputs.preprocess, durationMs: 1, cached: false });
  const first = new Worker('preprocess', async () => await Promise.resolve(), { connection: redis, prefix });
  try {
    // The present release's worker has had it once the job stands among the delayed.
    while (!(await (await queue.getJob(jobId))?.isDelayed())) await new Promise(setImmediate);
    newer.run().catch(() => undefined);
    const { record } = await ended(id);
    expect(record.status).toBe('completed');
    expect(taken).toEqual([version]);
    expect(runs.vision).toBe(0);
    expect(record.stages.vision.attempts).toBe(1);
  } finally {
    await Promise.all([newer.close(), first.close(), queue.close()]);
  }
});
