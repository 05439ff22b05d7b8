import { afterEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { failure, stageJobId, type StageInput } from '@bunri/queue-contracts';
import { until } from '@bunri/testkit/until';
import { createDeadLetters } from './dead-letters.ts';
import { PermanentError, TransientError } from './errors.ts';
import { createInspector } from './inspection.ts';
import { createKeys, dayInSeoul } from './keys.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { planClarification } from './clarify.ts';
import { toResource } from './record.ts';
import { planReplay } from './replay.ts';

afterEach(closePipelines);

const both = { models: ['gpt-5', 'local'] };
const down = new PermanentError('model_auth_failed', 'The key is wrong.');
const full = new PermanentError('engine_too_large', 'The model is too large.');

/** Both look, and what rag was given is kept. */
async function pair(...[handlers = {}, options = {}]: Parameters<typeof startPipeline>) {
  const given: StageInput<'rag'>[] = [];
  const rag = async (_context: unknown, input: StageInput<'rag'>) => {
    given.push(input);
    return await Promise.resolve(outputs.rag);
  };
  const pipeline = await startPipeline({ rag, ...handlers }, { local: true, ...options });
  return { ...pipeline, given };
}

test('two look at the same photo side by side, and rag reads what both saw', async () => {
  const { submit, ended, runs, given, redis, prefix } = await pair();
  const { record, types } = await ended(await submit(both));
  expect(runs).toEqual({ preprocess: 1, vision: 1, 'vision.local': 1, rag: 1, llm: 1 });
  expect(given).toMatchObject([{ vision: outputs.vision, secondOpinion: outputs['vision.local'] }]);
  expect(types.filter((type) => type === 'stage.completed')).toHaveLength(5);
  const counted = await redis.hgetall(createKeys(prefix).statistics(dayInSeoul(Date.now())));
  expect(counted).toMatchObject({ 'category:recyclable': '1', completed: '1' });
  const resource = toResource(record);
  expect(resource).toMatchObject({ status: 'completed', degraded: false, models: both.models });
  expect(resource.stages.map(({ name, status }) => [name, status])).toEqual(
    ['preprocess', 'vision', 'vision.local', 'rag', 'llm'].map((name) => [name, 'completed']),
  );
});

test('what rag makes of two opinions is what llm and the resource are told', async () => {
  const seen = { ...outputs.vision.classification, confidence: 0.99, agreement: 'bin' } as const;
  let told: StageInput<'llm'> | undefined;
  const { submit, ended } = await pair({
    rag: async () => await Promise.resolve({ ...outputs.rag, seen }),
    llm: async (_context, input) => {
      told = input;
      return await Promise.resolve(outputs.llm);
    },
  });
  const { record } = await ended(await submit(both));
  expect(told?.vision.classification).toEqual(seen);
  expect(toResource(record).classification).toEqual(seen);
});

test('the local model alone looks where it alone is asked', async () => {
  const { submit, ended, runs, given } = await pair();
  const { record } = await ended(await submit({ models: ['local'] }));
  expect(runs).toMatchObject({ vision: 0, 'vision.local': 1 });
  expect(given[0]?.vision).toEqual(outputs['vision.local']);
  expect(given[0]).not.toHaveProperty('secondOpinion');
  expect(toResource(record).stages.map(({ name }) => name)).toEqual(['preprocess', 'vision.local', 'rag', 'llm']);
});

test.each([
  ['vision', down, 'vision.local'],
  ['vision.local', full, 'vision'],
] as const)('where %s fails for good the other one answers, and the answer says why', async (stage, error, other) => {
  const { submit, ended, given, records } = await pair({ [stage]: async () => await Promise.reject(error) });
  const { record, types } = await ended(await submit(both));
  expect(record.status).toBe('completed');
  expect(types).toContain('stage.failed');
  expect(given).toMatchObject([{ vision: { ...outputs[other], degraded: error.code } }]);
  expect(given[0]).not.toHaveProperty('secondOpinion');
  const resource = toResource(record);
  expect(resource).toMatchObject({ degraded: true, classification: outputs[other].classification, error: null });
  const shown = resource.stages.find(({ name }) => name === stage);
  expect(shown).toMatchObject({ status: 'failed', degraded: error.code, engine: null });
  expect(await records.deadLetters(1)).toEqual([]);
});

test('where both fail the request fails with the failure at the API, and a retry asks both again', async () => {
  let broken = true;
  const fails = async (reason: Error, output: typeof outputs.vision) => {
    if (broken) throw reason;
    return await Promise.resolve(output);
  };
  const { submit, ended, records, flows, runs } = await pair({
    vision: async () => await fails(down, outputs.vision),
    'vision.local': async () => await fails(full, outputs['vision.local']),
  });
  const id = await submit(both);
  const { record } = await ended(id);
  expect(record).toMatchObject({ status: 'failed', error: { code: 'model_auth_failed', stage: 'vision' } });
  broken = false;
  const letters = createDeadLetters({ records, flows });
  expect((await letters.list({ stage: 'vision' })).data).toMatchObject([{ id, code: 'model_auth_failed' }]);
  expect(await letters.retry([id])).toMatchObject([{ outcome: 'reopened' }]);
  await until(async () => (await records.get(id))?.status === 'completed');
  expect(runs).toMatchObject({ preprocess: 1, vision: 2, 'vision.local': 2 });
  const retried = await records.get(id);
  expect(retried && toResource(retried)).toMatchObject({ degraded: false, error: null });
});

test('preprocess wakes the local look that waits for it', async () => {
  const { submit, job } = await pair({}, { local: false });
  const id = await submit(both);
  // Nobody serves its queue, so that no other hand can have taken it out of the delayed ones.
  const state = async () => await (await job(id, 'vision.local'))?.getState();
  await until(async () => (await state()) === 'prioritized');
  expect(await state()).toBe('prioritized');
});

test('a local look that comes before preprocess is put off and leaves no trace in the record', async () => {
  const { submit, ended, job, records, serve } = await pair({}, { without: ['preprocess'] });
  const id = await submit(both);
  await (await job(id, 'vision.local'))?.promote();
  await until(async () => {
    const early = await job(id, 'vision.local');
    return early !== undefined && early.attemptsStarted > 0 && (await early.isDelayed());
  });
  // The sweeper goes by this: as long as nobody has begun the request, it looks after its jobs.
  expect(await records.get(id)).toMatchObject({ status: 'queued', lastSeq: 1 });
  await serve('preprocess');
  const { record } = await ended(id);
  expect(record).toMatchObject({ status: 'completed', stages: { 'vision.local': { attempts: 1, lost: 0 } } });
});

test('an early local look of a request that has ended ends with it', async () => {
  const { submit, records, job, runs } = await pair({}, { without: ['preprocess'] });
  const id = await submit(both);
  await records.cancel(id);
  await (await job(id, 'vision.local'))?.promote();
  await until(async () => (await (await job(id, 'vision.local'))?.getState()) === 'completed');
  expect(runs['vision.local']).toBe(0);
});

test('a request waits for a local worker, and both look once it has come', async () => {
  const { submit, ended, records, serve, given } = await pair({}, { local: false });
  const id = await submit(both);
  await until(async () => (await records.get(id))?.stages.vision.status === 'completed');
  expect((await records.get(id))?.status).toBe('running');
  await serve('vision.local');
  expect((await ended(id)).record).toMatchObject({ status: 'completed', stages: { 'vision.local': { attempts: 1 } } });
  expect(given).toMatchObject([{ secondOpinion: outputs['vision.local'] }]);
});

test('a local look that kills its workers is given up, and only it', async () => {
  const { submit, ended, records, serve } = await pair({}, { local: false });
  const id = await submit(both);
  await until(async () => (await records.get(id))?.stages.preprocess.status === 'completed');
  for (const token of ['a:1', 'b:1', 'c:1']) await records.start({ id, stage: 'vision.local', token });
  await serve('vision.local');
  const { record } = await ended(id);
  expect(record).toMatchObject({
    status: 'completed',
    stages: { 'vision.local': { status: 'failed', failure: { code: 'worker_lost' } } },
  });
});

test('a local look whose job is gone is taken for lost, and the answer goes without it', async () => {
  const { submit, ended, job } = await pair({}, { local: false });
  const id = await submit(both);
  await (await job(id, 'vision.local'))?.remove();
  const { record } = await ended(id);
  expect(record.status).toBe('completed');
});

test('a result that comes after its stage was given up changes nothing', async () => {
  const { submit, records } = await pair({}, { local: false, without: ['vision'] });
  const id = await submit(both);
  const run = { id, stage: 'vision.local', token: 'a:1' } as const;
  await records.start(run);
  const lost = failure('worker_lost', 'It is gone.', 'vision.local');
  expect(await records.giveUp({ id, stage: 'vision.local', generation: 1 }, lost)).toEqual({ outcome: 'fenced' });
  expect(await records.giveUp({ id, stage: 'vision.local' }, lost)).toEqual({ outcome: 'given up' });
  expect(await records.giveUp({ id, stage: 'vision.local' }, lost)).toEqual({ outcome: 'fenced' });
  const late = await records.finish(run, { output: outputs['vision.local'], durationMs: 1, cached: false });
  expect(late).toEqual({ outcome: 'fenced' });
  expect(await records.start({ ...run, token: 'b:1' })).toEqual({ outcome: 'done' });
});

test('a canceled request stops both looks and goes no further', async () => {
  const aborted: string[] = [];
  const started = { vision: Promise.withResolvers<void>(), 'vision.local': Promise.withResolvers<void>() };
  const hangs = (stage: keyof typeof started) => async (context: { signal: AbortSignal }) => {
    started[stage].resolve();
    return await new Promise<never>((_resolve, reject) =>
      context.signal.addEventListener('abort', () => {
        aborted.push(stage);
        reject(context.signal.reason as Error);
      }),
    );
  };
  const { submit, ended, records, runs, job } = await pair({
    vision: hangs('vision'),
    'vision.local': hangs('vision.local'),
  });
  const id = await submit(both);
  await Promise.all(Object.values(started).map(async ({ promise }) => await promise));
  await records.cancel(id);
  expect((await ended(id)).record.status).toBe('canceled');
  // The tree runs empty, and leaves nothing waiting.
  await until(async () => (await (await job(id, 'llm'))?.getState()) === 'completed');
  expect(aborted.toSorted()).toEqual(['vision', 'vision.local']);
  expect(runs).toMatchObject({ rag: 0, llm: 0 });
});

test('attempts of a look that may yet succeed are its own', async () => {
  let calls = 0;
  const { submit, ended } = await pair({
    'vision.local': async () => {
      calls += 1;
      if (calls === 1) throw new TransientError('engine_out_of_memory', 'no memory');
      return await Promise.resolve(outputs['vision.local']);
    },
  });
  const { record } = await ended(await submit(both));
  expect(record).toMatchObject({
    status: 'completed',
    stages: { vision: { attempts: 1 }, 'vision.local': { attempts: 2 } },
  });
});

test('an operator sees both looks with their jobs', async () => {
  const { submit, ended, records, prefix } = await pair();
  const id = await submit(both);
  await ended(id);
  const inspector = createInspector({ records, prefix });
  const inspection = await inspector.inspect(id);
  await inspector.close();
  expect(inspection?.stages.map(({ name }) => name)).toContain('vision.local');
  expect(inspection?.jobs).toContainEqual(
    expect.objectContaining({ stage: 'rag', waits_for: ['vision', 'vision.local'] }),
  );
});

test('what goes on from a request of which one look failed takes the other over, and asks nobody again', async () => {
  const { submit, ended } = await pair({ 'vision.local': async () => await Promise.reject(full) });
  const { record } = await ended(await submit(both));
  const at = { id: `req_${'0'.repeat(32)}`, now: 0, deadlineMs: 1 };
  const clarified = planClarification(record, { text: 'a can' }, at);
  expect(clarified).toMatchObject({ outcome: 'planned', request: { models: ['gpt-5'] } });
  expect(Object.keys('outputs' in clarified ? clarified.outputs : {})).toEqual(['preprocess', 'vision']);
  const rewritten = planReplay(record, { llmModel: 'gpt-5-mini' }, at);
  expect(rewritten).toMatchObject({ request: { models: ['gpt-5'] } });
  expect(Object.keys('outputs' in rewritten ? rewritten.outputs : {})).toEqual(['preprocess', 'vision', 'rag']);
  // Another model is compared with what both saw; the same again asks both again.
  expect(planReplay(record, { visionModel: 'gpt-5-mini' }, at)).not.toHaveProperty('request.models');
  expect(planReplay(record, {}, at)).toMatchObject({ request: both, outputs: { preprocess: outputs.preprocess } });
});

test('an ordinary request has no local look, no job of it, and no word of it in its jobs', async () => {
  const { submit, ended, redis, prefix, job } = await pair();
  const id = await submit();
  const { record } = await ended(id);
  expect(toResource(record).stages.map(({ name }) => name)).toEqual(['preprocess', 'vision', 'rag', 'llm']);
  expect((await job(id, 'rag'))?.data).toEqual({ v: 1, requestId: id, deadlineAt: record.request.deadlineAt });
  const queue = new Queue('vision.local', { connection: redis, prefix });
  expect(await queue.getJob(stageJobId(id, 'vision.local'))).toBeUndefined();
  expect(
    Object.keys(await redis.hgetall(`${prefix}:request:${id}`)).filter((field) => field.includes('local')),
  ).toEqual([]);
});
