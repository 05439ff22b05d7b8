import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { stages } from '@bunri/queue-contracts';
import { drawSamplePhoto, truncatedJpeg, until, watchMachine, type MachineWatch } from '@bunri/testkit';
import { probeTimeoutMs, startIncidentSystem, times, type IncidentSystem } from './incident-fixture.ts';
import { appNames } from './system.ts';

let world: IncidentSystem;
let machine: MachineWatch;
beforeAll(async () => {
  machine = await watchMachine();
  world = await startIncidentSystem();
});
afterAll(async () => {
  await world.stop();
  await machine.stop();
});
beforeEach(async () => {
  await world.calm();
});

test('incident: a health probe that times out because workers are busy and so kills them', async () => {
  const { client, simulator, metric, system } = world;
  const allowedMs = {
    '/healthz': await probeTimeoutMs('livenessProbe'),
    '/readyz': await probeTimeoutMs('readinessProbe'),
  };
  simulator.setFaults([{ fault: 'hang' }]);
  await times(stages.vision.concurrency, async (i) => await client.submit(`busy ${i}?`));
  const inVision = async () => await metric('vision-worker', 'bunri_stage_in_flight', { stage: 'vision' });
  await until(async () => (await inVision()) === stages.vision.concurrency);
  const decoded = async () =>
    await metric('preprocess-worker', 'bunri_stage_duration_seconds_count', { stage: 'preprocess', cached: 'false' });
  const decodedBefore = await decoded();

  const twelveMegapixels = await drawSamplePhoto({ width: 4000, height: 3000 });
  const files = 3 * stages.preprocess.concurrency;
  // What stands behind the end of a picture makes it another file, which is decoded anew.
  const submitting = times(files, async (i) => {
    const photo = Buffer.concat([twelveMegapixels, Buffer.from([i])]);
    return await client.submit(`large ${i}?`, { photo });
  });
  const probes = (['preprocess-worker', 'vision-worker'] as const).flatMap((app) =>
    (['/healthz', '/readyz'] as const).map((path) => ({ app, path, tookMs: [] as number[] })),
  );
  let mostDecoding = 0;
  do {
    mostDecoding = Math.max(mostDecoding, await metric('preprocess-worker', 'bunri_stage_in_flight'));
    for (const { app, path, tookMs } of probes) {
      const askedAt = Date.now();
      const answer = await fetch(`${system.probes.get(app)}${path}`);
      const failed = answer.ok ? undefined : await answer.text();
      expect({ app, path, failed }).toEqual({ app, path, failed: undefined });
      tookMs.push(await machine.ranMs(askedAt, Date.now()));
    }
  } while ((await decoded()) < decodedBefore + files);
  await submitting;

  expect(mostDecoding).toBeGreaterThanOrEqual(2);
  expect(await inVision()).toBe(stages.vision.concurrency);
  for (const { path, tookMs } of probes) {
    expect(tookMs.length).toBeGreaterThanOrEqual(5);
    expect(Math.max(...tookMs)).toBeLessThan(allowedMs[path]);
  }
});

test('incident: failure events swallowed because they share a de-duplication key with the start event', async () => {
  const { client, simulator } = world;
  simulator.setFaults([{ fault: 'server_error', kind: 'vision', times: 2 }]);
  const id = await client.submit('fails twice?');
  const failing = client.submit('broken?', { photo: await truncatedJpeg() });
  const events = await client.follow(id);
  expect(
    events
      .filter(({ type }) => type !== 'answer.delta')
      .map(({ type, data }) => [type, data['stage'], data['attempt'] ?? data['code']]),
  ).toEqual([
    ['accepted', undefined, undefined],
    ['stage.started', 'preprocess', 1],
    ['stage.completed', 'preprocess', undefined],
    ['stage.started', 'vision', 1],
    ['stage.retrying', 'vision', 'model_unavailable'],
    ['stage.started', 'vision', 2],
    ['stage.retrying', 'vision', 'model_unavailable'],
    ['stage.started', 'vision', 3],
    ['stage.completed', 'vision', undefined],
    ...['rag', 'llm'].flatMap((stage) => [
      ['stage.started', stage, 1],
      ['stage.completed', stage, undefined],
    ]),
    ['completed', undefined, undefined],
  ]);
  const failed = await client.follow(await failing);
  expect(failed.map(({ type }) => type)).toEqual(['accepted', 'stage.started', 'failed']);
  for (const stream of [events, failed]) expect(stream.map(({ id }) => id)).toEqual(stream.map((_event, i) => i + 1));
});

test('incident: retries multiplied (SDK × task)', async () => {
  const { client, simulator } = world;
  const before = simulator.calls().length;
  simulator.setFaults([{ fault: 'server_error', kind: 'answer' }]);
  const inLlm = Promise.withResolvers<void>();
  const failsInLlm = await client.submit('no answer?');
  const failing = client.follow(failsInLlm, ({ type, data }) => {
    if (type === 'stage.started' && data['stage'] === 'llm') inLlm.resolve();
  });
  await inLlm.promise;
  // From here on the model API answers nothing but 500.
  simulator.setFaults([{ fault: 'server_error' }]);
  const failsInVision = await client.submit('no look?');
  await Promise.all([failing, client.follow(failsInVision)]);
  for (const [id, name] of [
    [failsInLlm, 'llm'],
    [failsInVision, 'vision'],
  ] as const) {
    const { status, error, stages: ran } = await client.read(id);
    expect({ status, error }).toMatchObject({ status: 'failed', error: { code: 'model_unavailable', stage: name } });
    expect(ran.find((stage) => stage.name === name)?.attempts).toBe(stages[name].attempts);
  }
  const kinds = simulator
    .calls()
    .slice(before)
    .map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'answer')).toHaveLength(stages.llm.attempts);
  expect(kinds.filter((kind) => kind === 'vision')).toHaveLength(1 + stages.vision.attempts);
});

test('incident: results leaking broker connections (count them)', async () => {
  const { client, connections, channels, open } = world;
  const before = [await connections(), await channels()];
  const leave = new AbortController();
  let ended = 0;
  const ask = async (i: number, signal?: AbortSignal) => {
    const question = `connection ${i}?`;
    if (i % 2 === 0) return (await client.post(question, { headers: { prefer: 'wait=60' } }, signal)).status;
    return (await client.follow(await client.submit(question), undefined, signal)).at(-1)?.type;
  };
  const ends = await times(80, async (i) => {
    // Half of those who wait and of those who listen go away while the others are being answered.
    if (i % 4 < 2) return await ask(i, leave.signal).catch(() => 'left');
    const end = await ask(i);
    ended += 1;
    if (ended === 5) leave.abort();
    return end;
  });
  await until(async () => (await open()) === 0);
  expect(ends.filter((_end, i) => i % 4 === 2)).toEqual(Array.from({ length: 20 }, () => 200));
  expect(ends.filter((_end, i) => i % 4 === 3)).toEqual(Array.from({ length: 20 }, () => 'completed'));
  expect(ends.filter((end) => end === 'left').length).toBeGreaterThan(5);
  // One that broke is there again in a moment.
  await until(async () => String([await connections(), await channels()]) === String(before));
});

test('incident: SSE that needs a connection a client', async () => {
  const { client, connections, metric, simulator } = world;
  simulator.setFaults([{ fault: 'hang' }]);
  const before = String(await connections());
  const asBefore = async () => String(await connections()) === before;
  const ids = await times(10, async (i) => await client.submit(`listened to ${i}?`));
  const listening = times(200, async (i) => await client.follow(ids[i % ids.length] ?? ''));
  await until(async () => (await metric('api', 'bunri_event_listeners')) === 200);
  await until(asBefore);
  await Promise.all(ids.map(async (id) => await client.cancel(id)));
  expect((await listening).map((events) => events.at(-1)?.type)).toEqual(Array.from({ length: 200 }, () => 'canceled'));
  await until(asBefore);
});

test('incident: an idempotency check that is get-then-set', async () => {
  const { client, simulator, system, uploads, requestIds } = world;
  const { url: secondApi = '' } = await system.addReplica('api');
  const before = { uploads: await uploads(), ids: await requestIds() };
  const calls = simulator.calls().length;
  // No lock inside one process would help: there are two.
  const answers = await times(50, async (i) => {
    const apiUrl = i % 2 === 0 ? system.apiUrl : secondApi;
    return await client.post('once?', { apiUrl, headers: { 'idempotency-key': 'once' } });
  });
  expect(answers.map(({ ok }) => ok)).toEqual(answers.map(() => true));
  const bodies = (await Promise.all(answers.map(async (answer) => await answer.json()))) as { id: string }[];
  const [id = '', ...others] = new Set(bodies.map((body) => body.id));
  expect(others).toEqual([]);
  expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(49);
  expect((await uploads()).filter((key) => !before.uploads.includes(key))).toEqual([`uploads/${id}`]);
  expect((await requestIds()).filter((each) => !before.ids.includes(each))).toEqual([id]);
  expect((await client.follow(id)).at(-1)?.type).toBe('completed');
  expect(simulator.calls().length - calls).toBe(2);
});

test('cancellation and deadlines end model calls in flight within a second, and are told apart', async () => {
  const { client, simulator } = world;
  /** Submits, and gives the place of its call in the log once that is in flight. */
  const untilCalled = async (question: string, kind: string, deadlineS?: number) => {
    const before = simulator.calls().length;
    const find = () => simulator.calls().findIndex((call, i) => i >= before && call.kind === kind);
    for (;;) {
      const id = await client.submit(question, deadlineS === undefined ? {} : { deadlineS });
      let code: string | undefined;
      await until(async () => find() >= 0 || (code = (await client.read(id)).error?.code) !== undefined);
      if (find() >= 0) return { id, call: find() };
      // A machine that stood still has missed a short deadline before it came to the call: that alone may end it.
      expect({ code, deadlineS }).toEqual({ code: 'deadline_exceeded', deadlineS: expect.any(Number) });
    }
  };
  const endOf = async (call: number) => {
    await until(() => simulator.calls()[call]?.durationMs !== null);
    const { at = 0, durationMs, aborted } = simulator.calls()[call] ?? {};
    expect(aborted).toBe(true);
    return at + (durationMs ?? 0);
  };
  simulator.setFaults([{ fault: 'stall', kind: 'answer' }]);
  const inLlm = await untilCalled('canceled while it is answered?', 'answer');
  simulator.setFaults([{ fault: 'hang' }]);
  const late = await untilCalled('too late?', 'vision', 5);
  const inVision = await untilCalled('canceled while it is looked at?', 'vision');

  for (const { id, call } of [inLlm, inVision]) {
    const canceledAt = Date.now();
    await client.cancel(id);
    expect(await machine.ranMs(canceledAt, await endOf(call))).toBeLessThan(1_000);
    expect(await client.read(id)).toMatchObject({ status: 'canceled', error: null });
  }
  const lastEvent = (await client.follow(late.id)).at(-1);
  expect(lastEvent).toMatchObject({ type: 'failed', data: { code: 'deadline_exceeded' } });
  const resource = await client.read(late.id);
  expect(resource).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded', retryable: true } });
  const dueAt = Date.parse(resource.deadline_at);
  const endedAt = await endOf(late.call);
  expect(endedAt - dueAt).toBeGreaterThan(-100);
  expect(await machine.ranMs(dueAt, endedAt)).toBeLessThan(1_000);
});

// The last test, since nothing but the api lives after it.
test('incident: a client that polls 202 for ever', async () => {
  const { client, simulator, system } = world;
  simulator.setFaults([{ fault: 'hang' }]);
  let id = '';
  let following: ReturnType<typeof client.follow> | undefined;
  for (let isLooking = false; !isLooking;) {
    id = await client.submit('is anybody there?', { deadlineS: 5 });
    const looking = Promise.withResolvers<true>();
    following = client.follow(id, ({ type, data }) => {
      if (type === 'stage.started' && data['stage'] === 'vision') looking.resolve(true);
    });
    // A machine that stood still has missed the deadline before vision began: nothing else may end it.
    isLooking = await Promise.race([looking.promise, following.then(() => false)]);
    const end = isLooking ? undefined : (await following).at(-1)?.data['code'];
    if (!isLooking && end !== 'deadline_exceeded') throw new Error(`it ended with ${String(end)} before vision began`);
  }
  const others = appNames.filter((app) => app !== 'api');
  await Promise.all(others.map(async (app) => await system.apps.get(app)?.stop('SIGKILL')));
  const unheard = await client.submit('is nobody there?', { deadlineS: 5 });
  for (const each of [id, unheard]) {
    const { deadline_at: deadlineAt } = await client.read(each);
    await until(async () => (await client.read(each)).completed_at !== null);
    const { status, error, completed_at: completedAt } = await client.read(each);
    expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'deadline_exceeded' });
    expect(Date.parse(completedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(deadlineAt));
    expect(await machine.ranMs(Date.parse(deadlineAt), Date.parse(completedAt ?? ''))).toBeLessThan(5_000);
  }
  expect((await following)?.at(-1)).toMatchObject({ type: 'failed', data: { code: 'deadline_exceeded' } });
});
