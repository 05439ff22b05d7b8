import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { failure, stageOrder, stages, type FailureCode, type StageName } from '@bunri/queue-contracts';
import { newRequestId, openOperator, type Operator } from '@bunri/runtime';
import { startProcess } from '@bunri/testkit';
import type { CommandIo } from './queuectl-command.ts';
import { runQueuectl } from './queuectl-run.ts';

let env: Record<string, string | undefined>;
let operator: Operator;
beforeEach(async () => {
  env = { REDIS_URL: process.env['REDIS_URL'], REDIS_PREFIX: `{t${randomUUID()}}` };
  operator = await openOperator(env);
});
afterEach(async () => {
  const { redis } = operator.records;
  const keys = await redis.keys(`${operator.prefix}*`);
  if (keys.length > 0) await redis.unlink(...keys);
  await operator.close();
});

/** Runs a command as a function. `answer` is what a person at a terminal says; without one nobody is there. */
async function queuectl(args: string[], { answer, over = {} }: { answer?: boolean; over?: Partial<CommandIo> } = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const asked: string[] = [];
  const confirm = async (question: string) => {
    asked.push(question);
    return await Promise.resolve(answer === true);
  };
  const code = await runQueuectl(args, {
    env,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    confirm: answer === undefined ? undefined : confirm,
    signal: new AbortController().signal,
    ...over,
  });
  return { code, out: out.join('\n'), err: err.join('\n'), asked };
}

const question = 'may I throw my diary away?';
const engine = { provider: 'fake', model: 'fake-1' };
const usage = { input_tokens: 1, output_tokens: 1, cost_usd: 0.5 };
const condition = { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' };
const classified = {
  subcategory: '무색페트병',
  item_id: null,
  item_name: '페트병',
  confidence: 0.9,
  condition,
  engine,
};
const outputs: Record<StageName, unknown> = {
  preprocess: { sha256: 'a'.repeat(64), key: 'images/a.jpg', width: 10, height: 10, sizeBytes: 100 },
  vision: { classification: { waste_category: 'recyclable', ...classified }, usage },
  rag: {
    item_id: null,
    item_name: '페트병',
    match: 'category',
    candidates: [],
    sentences: [],
    catalogue_version: 'v1',
    tokens: 0,
  },
  llm: {
    guidance: {
      answer: 'Rinse it.',
      steps: [{ text: 'Rinse.', rule_ids: ['r1'] }],
      missing: [],
      warnings: [],
      sources: [],
    },
    engine,
    usage,
    droppedSteps: 0,
  },
};

async function accepted(owner = 'ann'): Promise<string> {
  const id = newRequestId();
  const now = Date.now();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const times = { createdAt: now, deadlineAt: now + 60_000 };
  const request = { id, owner, question, locale: 'en', source, priority: 'interactive', ...times } as const;
  await operator.records.accept(request);
  await operator.flows.add(request);
  return id;
}

/** Plays the workers: the stages from one to another, those that have their output already left out. */
async function work(id: string, upTo: StageName = 'llm', over: Partial<typeof outputs> = {}): Promise<void> {
  const generation = (await operator.records.get(id))?.generation ?? 0;
  for (const stage of stageOrder.slice(0, stageOrder.indexOf(upTo) + 1)) {
    const run = { id, stage, token: `${stage}-${generation}`, generation };
    if ((await operator.records.start(run)).outcome !== 'started') continue;
    const output = stages[stage].output.parse(over[stage] ?? outputs[stage]);
    await operator.records.finish(run, { output, durationMs: 5, cached: false });
  }
}

async function dead({ owner = 'ann', code = 'model_unavailable' }: { owner?: string; code?: FailureCode } = {}) {
  const id = await accepted(owner);
  await work(id, 'rag');
  await operator.records.start({ id, stage: 'llm', token: 'run' });
  await operator.records.fail(id, failure(code, 'It broke.', 'llm'));
  return id;
}

const statusOf = async (id: string) => (await operator.records.get(id))?.status;

test('dead letters are listed for people and for programs, by filter, without the question', async () => {
  expect((await queuectl(['dead', 'list'])).out).toContain('No dead letters');
  const first = await dead();
  const second = await dead({ owner: 'bob', code: 'worker_lost' });
  const { code, out } = await queuectl(['dead', 'list', '--since', '2h']);
  expect(code).toBe(0);
  const lines = out.split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^ID\s+AGE\s+FAILED AT\s+STAGE\s+STARTS\s+CODE/);
  expect(lines[1]).toContain(second);
  const listed = await queuectl(['dead', 'list', '--owner', 'ann', '--stage', 'llm', '--json']);
  expect(JSON.parse(listed.out)).toMatchObject({ data: [{ id: first, code: 'model_unavailable' }], more: false });
  const cut = await queuectl(['dead', 'list', '--limit', '1', '--json']);
  expect(JSON.parse(cut.out)).toMatchObject({ data: [{ id: second }], more: true });
  expect(out + listed.out).not.toContain('diary');
});

test('a dead letter is shown with its stages and the tree of its jobs, the question only where it is asked for', async () => {
  const id = await dead();
  const { code, out } = await queuectl(['dead', 'show', id]);
  expect(code).toBe(0);
  expect(out).toMatch(/vision\s+completed\s+1\s+0/);
  expect(out).toContain('error      model_unavailable at llm: It broke.');
  expect(
    out
      .split('\n')
      .filter((line) => line.includes('└'))
      .map((line) => line.trim().split(/\s+/)[1]),
  ).toEqual(['rag', 'vision', 'preprocess']);
  expect(out).not.toContain('diary');
  expect((await queuectl(['dead', 'show', id, '--show-question'])).out).toContain(question);
  expect(JSON.parse((await queuectl(['flow', id, '--json'])).out)).toMatchObject({ id, jobs: { length: 4 } });
  const unknown = await queuectl(['flow', newRequestId()]);
  expect(unknown).toMatchObject({ code: 1, out: '' });
  expect(unknown.err).toContain('no request');
});

test('a retry by id, by filter and of all opens requests again, and says what it could not', async () => {
  const ids = [await dead(), await dead({ owner: 'bob' }), await dead()];
  const completed = await accepted();
  await work(completed);
  const [one = '', two = '', three = ''] = ids;
  const byId = await queuectl(['dead', 'retry', one, completed, '--deadline', '60', '--priority', 'interactive']);
  expect(byId.code).toBe(1);
  expect(byId.out).toContain(`${completed}  closed`);
  expect(byId.out).toContain('1 reopened.');
  expect(await operator.records.get(one)).toMatchObject({ status: 'queued', request: { priority: 'interactive' } });
  expect(await queuectl(['dead', 'retry', '--owner', 'bob'])).toMatchObject({ code: 0, out: '1 reopened.' });
  expect(await statusOf(two)).toBe('queued');
  expect(await queuectl(['dead', 'retry', '--all'])).toMatchObject({ code: 0 });
  expect(await statusOf(three)).toBe('queued');
  await work(three);
  expect(await statusOf(three)).toBe('completed');
});

test('a purge asks first, and without a terminal it needs --yes', async () => {
  const [one, two, three] = [await dead(), await dead(), await dead({ owner: 'bob' })];
  const unasked = await queuectl(['dead', 'purge', '--all']);
  expect(unasked.code).toBe(1);
  expect(unasked.err).toContain('--yes');
  const refused = await queuectl(['dead', 'purge', '--owner', 'ann'], { answer: false });
  expect(refused.code).toBe(1);
  expect(refused.asked).toEqual([expect.stringContaining('Delete 2 dead letters')]);
  expect(await statusOf(one)).toBe('failed');
  const agreed = await queuectl(['dead', 'purge', '--owner', 'ann'], { answer: true });
  expect(agreed.out).toContain('2 purged.');
  expect(agreed.out).toContain('Uploads and images stay');
  expect([await statusOf(one), await statusOf(two)]).toEqual([undefined, undefined]);
  expect(await queuectl(['dead', 'purge', three, '--yes'])).toMatchObject({ code: 0 });
  expect((await queuectl(['dead', 'purge', '--all'], { answer: true })).out).toContain('nothing was purged');
});

test('a replay is waited for and compared with its original', async () => {
  const original = await accepted();
  await work(original);
  const waiting = queuectl(['replay', original, '--llm-model', 'other', '--wait']);
  const replay = await newest(original);
  await work(replay, 'llm', { llm: { ...(outputs['llm'] as object), engine: { ...engine, model: 'other' } } });
  const { code, out, err } = await waiting;
  expect(code).toBe(0);
  expect(err).toContain(`Replay ${replay}`);
  expect(out).toContain(': the same answer');
  expect(out).toMatch(/vision\s+taken over/);
  expect(out).toContain('fake-1 → other');
  expect(out).toContain('$0.500000 → $0.500000 (+$0.000000)');
  const diff = await queuectl(['diff', replay, '--json']);
  expect(JSON.parse(diff.out)).toMatchObject({ before: original, after: replay, same: true });
  expect((await queuectl(['diff', original])).err).toContain('is no replay');
});

test('a replay that is not waited for is named, and not compared while it is open', async () => {
  const original = await dead();
  const { out } = await queuectl(['replay', original, '--json']);
  const { id } = JSON.parse(out) as { id: string };
  expect(await operator.records.get(id)).toMatchObject({ request: { replay: { of: original } } });
  expect(await queuectl(['diff', id])).toMatchObject({ code: 1, err: expect.stringContaining('queued still') });
  expect((await queuectl(['replay', id])).err).toContain('has not ended');
  const leave = new AbortController();
  leave.abort();
  const left = await queuectl(['replay', original, '--wait'], { over: { signal: leave.signal } });
  expect(left).toMatchObject({ code: 1, err: expect.stringContaining('the replay goes on') });
});

/** The replay of a request, as soon as it is there. */
async function newest(original: string): Promise<string> {
  const giveUp = AbortSignal.timeout(10_000);
  for (;;) {
    const ids = await operator.records.listIds('ann', Number.MAX_SAFE_INTEGER, 2);
    const other = ids.find((id) => id !== original);
    if (other !== undefined) return other;
    giveUp.throwIfAborted();
  }
}

test.each([
  ['no command', []],
  ['an unknown command', ['dead', 'wake']],
  ['an unknown option', ['dead', 'list', '--colour']],
  ['an unknown code', ['dead', 'list', '--code', 'nonsense']],
  ['an age that is none', ['dead', 'list', '--since', 'yesterday']],
  ['a retry of nothing', ['dead', 'retry']],
  ['a purge of all and some', ['dead', 'purge', '--all', '--owner', 'ann', '--yes']],
  ['an id that is none', ['flow', 'req_1']],
  ['two ids where one is meant', ['diff', newRequestId(), newRequestId()]],
  ['a deadline of no time', ['replay', newRequestId(), '--deadline', '0']],
])('%s is not understood', async (_name, args) => {
  expect(await queuectl(args)).toMatchObject({ code: 2, out: '' });
});

test('what a model wrote does not command the terminal', async () => {
  const original = await accepted();
  await work(original);
  const { out } = await queuectl(['replay', original, '--json']);
  const { id } = JSON.parse(out) as { id: string };
  const guidance = { ...(outputs['llm'] as { guidance: object }).guidance, answer: '\u001B[2JRinse\u202E it.' };
  await work(id, 'llm', { llm: { ...(outputs['llm'] as object), guidance } });
  const diff = await queuectl(['diff', id]);
  expect(diff.out).toContain('+  [2JRinse  it.');
  expect(diff.out).not.toContain('\u001B');
});

test('settings that are missing and a Redis that is away are told, without its password', async () => {
  expect(await queuectl(['dead', 'list'], { over: { env: {} } })).toMatchObject({
    code: 1,
    err: expect.stringContaining('REDIS_URL: is required'),
  });
  const away = await queuectl(['dead', 'list'], { over: { env: { REDIS_URL: 'redis://me:secret@127.0.0.1:1' } } });
  expect(away.code).toBe(1);
  expect(away.err).toContain('127.0.0.1:1 cannot be reached');
  expect(away.err).not.toContain('secret');
});

test('as a process it ends by itself with its exit code', async () => {
  const id = await dead();
  const file = fileURLToPath(new URL('queuectl.ts', import.meta.url));
  const run = async (...args: string[]) => {
    const started = await startProcess({ name: 'queuectl', args: [file, ...args], env });
    const { code } = await started.exited;
    return { code, output: started.output() };
  };
  expect(await run('dead', 'list')).toEqual({ code: 0, output: expect.stringContaining(id) });
  expect(await run('dead', 'purge', '--all')).toEqual({ code: 1, output: expect.stringContaining('add --yes') });
  expect((await run('dead', 'list', '--limit', 'many')).code).toBe(2);
}, 30_000);
