import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newRequestId, type Operator } from '@bunri/runtime';
import { patienceMs } from '@bunri/testkit/until';
import { accepted, dead, engine, openTestShell, outputs, question, work, type TestShell } from '../command-fixture.ts';

let shell: TestShell;
let operator: Operator;
beforeEach(async () => {
  shell = await openTestShell();
  ({ operator } = shell);
});
afterEach(async () => await shell.close());

const statusOf = async (id: string) => (await operator.records.get(id))?.status;

test('dead letters are listed for people and for programs, by filter, without the question', async () => {
  expect((await shell.bunri(['queues', 'failed'])).out).toContain('No dead letters');
  const first = await dead(operator);
  const second = await dead(operator, { owner: 'bob', code: 'worker_lost' });
  const { code, out } = await shell.bunri(['queues', 'failed', '--since', '2h']);
  expect(code).toBe(0);
  const lines = out.split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^ID\s+AGE\s+FAILED AT\s+STAGE\s+STARTS\s+CODE/);
  expect(lines[1]).toContain(second);
  const listed = await shell.bunri(['queues', 'failed', '--owner', 'ann', '--stage', 'llm', '--json']);
  expect(JSON.parse(listed.out)).toMatchObject({ data: [{ id: first, code: 'model_unavailable' }], more: false });
  const cut = await shell.bunri(['queues', 'failed', '--limit', '1', '--json']);
  expect(JSON.parse(cut.out)).toMatchObject({ data: [{ id: second }], more: true });
  expect(out + listed.out).not.toContain('diary');
});

test('a dead letter is shown with its stages and the tree of its jobs, the question only where it is asked for', async () => {
  const id = await dead(operator);
  const { code, out } = await shell.bunri(['queues', 'show', id]);
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
  expect((await shell.bunri(['queues', 'show', id, '--show-question'])).out).toContain(question);
  expect(JSON.parse((await shell.bunri(['queues', 'show', id, '--json'])).out)).toMatchObject({
    id,
    jobs: { length: 4 },
  });
  const unknown = await shell.bunri(['queues', 'show', newRequestId()]);
  expect(unknown).toMatchObject({ code: 1, out: '' });
  expect(unknown.err).toContain('no request');
});

test('a retry by id, by filter and of all opens requests again, and says what it could not', async () => {
  const ids = [await dead(operator), await dead(operator, { owner: 'bob' }), await dead(operator)];
  const completed = await accepted(operator);
  await work(operator, completed);
  const [one = '', two = '', three = ''] = ids;
  const byId = await shell.bunri(['queues', 'retry', one, completed, '--deadline', '60', '--priority', 'interactive']);
  expect(byId.code).toBe(1);
  expect(byId.out).toContain(`${completed}  closed`);
  expect(byId.out).toContain('1 reopened.');
  expect(await operator.records.get(one)).toMatchObject({ status: 'queued', request: { priority: 'interactive' } });
  expect(await shell.bunri(['queues', 'retry', '--owner', 'bob'])).toMatchObject({ code: 0, out: '1 reopened.' });
  expect(await statusOf(two)).toBe('queued');
  expect(await shell.bunri(['queues', 'retry', '--all'])).toMatchObject({ code: 0 });
  expect(await statusOf(three)).toBe('queued');
  await work(operator, three);
  expect(await statusOf(three)).toBe('completed');
});

test('a purge asks first, and without a terminal it needs --yes', async () => {
  const [one, two, three] = [await dead(operator), await dead(operator), await dead(operator, { owner: 'bob' })];
  const unasked = await shell.bunri(['queues', 'purge', '--all']);
  expect(unasked.code).toBe(1);
  expect(unasked.err).toContain('--yes');
  const refused = await shell.bunri(['queues', 'purge', '--owner', 'ann'], { answer: 'n' });
  expect(refused.code).toBe(1);
  expect(refused.asked).toEqual([expect.stringContaining('Delete 2 dead letters')]);
  expect(await statusOf(one)).toBe('failed');
  const agreed = await shell.bunri(['queues', 'purge', '--owner', 'ann'], { answer: 'y' });
  expect(agreed.out).toContain('2 purged.');
  expect(agreed.out).toContain('Uploads and images stay');
  expect([await statusOf(one), await statusOf(two)]).toEqual([undefined, undefined]);
  expect(await shell.bunri(['queues', 'purge', three, '--yes'])).toMatchObject({ code: 0 });
  expect((await shell.bunri(['queues', 'purge', '--all'], { answer: 'y' })).out).toContain('nothing was purged');
});

test('a replay is waited for and compared with its original', async () => {
  const original = await accepted(operator);
  await work(operator, original);
  const waiting = shell.bunri(['queues', 'replay', original, '--llm-model', 'other', '--wait']);
  const replay = await newest(original);
  await work(operator, replay, 'llm', {
    llm: { ...(outputs['llm'] as object), engine: { ...engine, model: 'other' } },
  });
  const { code, out, err } = await waiting;
  expect(code).toBe(0);
  expect(err).toContain(`Replay ${replay}`);
  expect(out).toContain(': the same answer');
  expect(out).toMatch(/vision\s+taken over/);
  expect(out).toContain('fake-1 → other');
  expect(out).toContain('$0.500000 → $0.500000 (+$0.000000)');
  const diff = await shell.bunri(['queues', 'diff', replay, '--json']);
  expect(JSON.parse(diff.out)).toMatchObject({ before: original, after: replay, same: true });
  expect((await shell.bunri(['queues', 'diff', original])).err).toContain('is no replay');
});

test('a replay that is not waited for is named, and not compared while it is open', async () => {
  const original = await dead(operator);
  const { out } = await shell.bunri(['queues', 'replay', original, '--json']);
  const { id } = JSON.parse(out) as { id: string };
  expect(await operator.records.get(id)).toMatchObject({ request: { replay: { of: original } } });
  expect(await shell.bunri(['queues', 'diff', id])).toMatchObject({
    code: 1,
    err: expect.stringContaining('queued still'),
  });
  expect((await shell.bunri(['queues', 'replay', id])).err).toContain('has not ended');
  const leave = new AbortController();
  leave.abort();
  const left = await shell.bunri(['queues', 'replay', original, '--wait'], { over: { signal: leave.signal } });
  expect(left).toMatchObject({ code: 1, err: expect.stringContaining('the replay goes on') });
});

/** The replay of a request, as soon as it is there. */
async function newest(original: string): Promise<string> {
  const giveUp = AbortSignal.timeout(patienceMs);
  for (;;) {
    const ids = await operator.records.listIds('ann', Number.MAX_SAFE_INTEGER, 2);
    const other = ids.find((id) => id !== original);
    if (other !== undefined) return other;
    giveUp.throwIfAborted();
  }
}

test.each([
  ['an unknown command', ['queues', 'wake']],
  ['an unknown option', ['queues', 'failed', '--colour']],
  ['an unknown code', ['queues', 'failed', '--code', 'nonsense']],
  ['an age that is none', ['queues', 'failed', '--since', 'yesterday']],
  ['a retry of nothing', ['queues', 'retry']],
  ['a purge of all and some', ['queues', 'purge', '--all', '--owner', 'ann', '--yes']],
  ['an id that is none', ['queues', 'show', 'req_1']],
  ['two ids where one is meant', ['queues', 'diff', newRequestId(), newRequestId()]],
  ['a deadline of no time', ['queues', 'replay', newRequestId(), '--deadline', '0']],
])('%s is not understood', async (_name, args) => {
  expect(await shell.bunri(args)).toMatchObject({ code: 64, out: '' });
});

test('what a model wrote does not command the terminal', async () => {
  const original = await accepted(operator);
  await work(operator, original);
  const { out } = await shell.bunri(['queues', 'replay', original, '--json']);
  const { id } = JSON.parse(out) as { id: string };
  const guidance = { ...(outputs['llm'] as { guidance: object }).guidance, answer: '\u001B[2JRinse\u202E it.' };
  await work(operator, id, 'llm', { llm: { ...(outputs['llm'] as object), guidance } });
  const diff = await shell.bunri(['queues', 'diff', id]);
  expect(diff.out).toContain('+  [2JRinse  it.');
  expect(diff.out).not.toContain('\u001B');
});
