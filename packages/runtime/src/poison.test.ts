import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { closePipelines, startPipeline } from './pipeline-fixture.ts';

afterEach(closePipelines);

test('a request that kills every worker that takes it is stopped and kept, and those beside it are answered', async () => {
  const { submit, ended, records, prefix } = await startPipeline({}, { without: ['vision'] });
  let worker: ChildProcess | undefined;
  let deaths = 0;
  const over = new AbortController();
  // As an orchestrator does it: a dead worker is started again.
  const supervised = (async () => {
    while (!over.signal.aborted) {
      worker = fork(new URL('poison-worker.ts', import.meta.url), [process.env['REDIS_URL'] ?? '', prefix], {
        execArgv: ['--conditions=@bunri/source', '--no-warnings'],
      });
      await once(worker, 'exit');
      if (!over.signal.aborted) deaths += 1;
    }
  })();
  try {
    const poison = await submit({ question: 'poison' });
    const beside = await Promise.all(Array.from({ length: 6 }, async () => await submit()));
    const { record } = await ended(poison);
    expect(record.error).toMatchObject({ code: 'worker_lost', stage: 'vision' });
    expect(record.stages.vision.lost).toBe(3);
    expect(await records.deadLetters(10)).toMatchObject([{ id: poison }]);
    for (const id of beside) expect((await ended(id)).record.status).toBe('completed');
    expect(deaths).toBe(3);
  } finally {
    over.abort();
    worker?.kill('SIGKILL');
    await supervised;
  }
});
