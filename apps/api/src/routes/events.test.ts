import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { drawSamplePhoto } from '@bunri/testkit';
import { sampleOutputs } from '../sample-outputs.ts';
import { form, runStages, startTestApi, type TestApi } from '../test-api.ts';
import { bearer } from '../test-keys.ts';

const path = '/v1/classifications';
let api: TestApi;
/** One whose silent streams show soon that they live, and that soon loses patience with a client that does not read. */
let hasty: TestApi;
let photo: Buffer;
beforeAll(async () => {
  api = await startTestApi();
  hasty = await startTestApi({ heartbeatMs: 20 });
  photo = await drawSamplePhoto();
});
afterAll(async () => {
  await api.close();
  await hasty.close();
});

async function accept(fields: Record<string, string> = {}, at = api): Promise<string> {
  const answer = await at.fetch(path, { method: 'POST', body: form(photo, fields) });
  return ((await answer.json()) as { id: string }).id;
}

interface SentEvent {
  readonly id: number;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

async function follow(id: string, lastEventId?: number, signal?: AbortSignal, at = api): Promise<Response> {
  const headers = { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': String(lastEventId) } : {}) };
  return await at.fetch(`${path}/${id}/events`, { headers, ...(signal ? { signal } : {}) });
}

/** Events as they come; text blocks that are no event, as comments and the retry hint are, go to `onOther`. */
async function* eventsOf(answer: Response, onOther: (block: string) => void = () => undefined) {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, id, event, data] = /^id: (\d+)\nevent: (.+)\ndata: (.+)$/.exec(block) ?? [];
      if (data === undefined) onOther(block);
      else yield { id: Number(id), event, data: JSON.parse(data) } as SentEvent;
    }
  }
}

test('a stream tells everything from the start and ends with the finished request', async () => {
  const id = await accept();
  const answer = await follow(id);
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(answer.headers.get('x-accel-buffering')).toBe('no');
  const playing = runStages(api.records, id, sampleOutputs());
  const events: SentEvent[] = [];
  for await (const event of eventsOf(answer)) events.push(event);
  await playing;
  expect(events.map(({ event }) => event)).toEqual([
    'accepted',
    ...['preprocess', 'vision', 'rag', 'llm'].flatMap(() => ['stage.started', 'stage.completed']),
    'completed',
  ]);
  expect(events.map(({ id }) => id)).toEqual(events.map((_event, index) => index + 1));
  expect(events[1]?.data).toMatchObject({ seq: 2, type: 'stage.started', stage: 'preprocess', attempt: 1 });
  expect(events[1]?.data['at']).toMatch(/^\d{4}-.*Z$/);
  expect(events.at(-1)?.data['resource']).toMatchObject({ id, status: 'completed' });
});

test('twenty reconnects while events are being written lose none and repeat none', async () => {
  const id = await accept();
  const run = { id, stage: 'llm' as const, token: 'run-llm' };
  await runStages(api.records, id, sampleOutputs(), 'rag');
  await api.records.start(run);
  const deltas = 400;
  const writing = (async () => {
    for (let i = 0; i < deltas; i += 1) {
      await api.records.delta(run, i, 'x');
      await new Promise((resolve) => setTimeout(resolve, i % 10 === 0 ? 1 : 0));
    }
    await api.records.finish(run, { output: sampleOutputs().llm, durationMs: 5, cached: false });
  })();

  const seen: number[] = [];
  let connections = 0;
  for (let ended = false; !ended;) {
    connections += 1;
    const leave = new AbortController();
    const answer = await follow(id, seen.at(-1), leave.signal);
    const enough = seen.length + 18;
    try {
      for await (const { id: seq, event } of eventsOf(answer)) {
        seen.push(seq);
        ended = event === 'completed';
        if (connections <= 20 && seen.length >= enough) leave.abort();
      }
    } catch (error) {
      if (!leave.signal.aborted) throw error;
    }
  }
  await writing;
  expect(connections).toBeGreaterThan(20);
  expect(seen).toEqual(Array.from({ length: 1 + 6 + 1 + deltas + 2 }, (_value, index) => index + 1));
});

test('incident: catch-up that reads only the newest entries of a shared stream', async () => {
  const deltas = 1_500;
  const write = async () => {
    const id = await accept();
    const run = { id, stage: 'llm' as const, token: 'run-llm' };
    await runStages(api.records, id, sampleOutputs(), 'rag');
    await api.records.start(run);
    await Promise.all(Array.from({ length: deltas }, async (_value, i) => await api.records.delta(run, i, 'x')));
    return run;
  };
  // Other people's thousands come before, between and after one's own.
  await write();
  const [run] = await Promise.all([write(), write()]);
  await write();
  await api.records.finish(run, { output: sampleOutputs().llm, durationMs: 5, cached: false });
  const seen: number[] = [];
  for await (const { id } of eventsOf(await follow(run.id, 1))) seen.push(id);
  expect(seen).toEqual(Array.from({ length: 6 + 1 + deltas + 2 }, (_value, index) => index + 2));
});

test('a failure that was retried is told like any event, and the stream goes on to the real end', async () => {
  const id = await accept();
  const stream = api.records.keys.events(id);
  for (const [seq, type] of [
    [2, 'failed'],
    [3, 'retried'],
  ] as const) {
    await api.redis.xadd(stream, `${seq}-0`, 'type', type, 'at', '1', 'data', '{}');
    await api.redis.hset(api.records.keys.record(id), 'seq', seq);
  }
  const events: SentEvent[] = [];
  for await (const event of eventsOf(await follow(id))) {
    events.push(event);
    if (event.event === 'retried') await api.records.cancel(id);
  }
  expect(events.map(({ event }) => event)).toEqual(['accepted', 'failed', 'retried', 'canceled']);
  expect(events.map(({ data }) => 'resource' in data)).toEqual([false, false, false, true]);
});

test('after the end a stream gives what is left, and then says not to come back', async () => {
  const id = await accept();
  await runStages(api.records, id, sampleOutputs());
  const left: number[] = [];
  for await (const event of eventsOf(await follow(id, 8))) left.push(event.id);
  expect(left).toEqual([9, 10]);
  expect((await follow(id, 10)).status).toBe(204);
  expect((await api.fetch(`${path}/${id}/events?last_event_id=10`)).status).toBe(204);
});

test('a silent stream shows that it lives, and tells how soon to come back', async () => {
  const id = await accept({}, hasty);
  const leave = new AbortController();
  const others: string[] = [];
  const note = (block: string) => {
    others.push(block);
    if (others.length === 4) leave.abort();
  };
  const listen = async () => {
    for await (const { event } of eventsOf(await follow(id, 1, leave.signal, hasty), note)) others.push(event);
  };
  await expect(listen()).rejects.toThrow('aborted');
  expect(others).toEqual(['retry: 2000', ': still here', ': still here', ': still here']);
});

test('at its deadline an open request is closed, and its listeners hear it', async () => {
  const id = await accept({ deadline: '5' });
  const record = await api.records.get(id);
  // The five seconds are over at once: the record is made to have been accepted earlier.
  const deadlineAt = Date.now() + 50;
  const request = JSON.stringify({ ...record?.request, deadlineAt });
  await api.redis.hset(api.records.keys.record(id), { request, deadlineAt });
  const events: SentEvent[] = [];
  for await (const event of eventsOf(await follow(id))) events.push(event);
  expect(events.at(-1)).toMatchObject({ event: 'failed', data: { code: 'deadline_exceeded' } });
  expect(events.at(-1)?.data['resource']).toMatchObject({ status: 'failed' });
});

test('a listener that cannot be served is told so before a stream begins', async () => {
  const id = await accept();
  expect((await api.fetch(`${path}/${id}/events`, { headers: { accept: 'image/png' } })).status).toBe(406);
  expect((await api.fetch(`${path}/${id}/events?last_event_id=x`)).status).toBe(400);
  expect((await follow(id, 99)).status).toBe(400);
  expect((await follow(`req_${'0'.repeat(32)}`)).status).toBe(404);
});

test('a client that does not read is cut off, and the request goes on', async () => {
  const id = await accept({}, hasty);
  const run = { id, stage: 'llm' as const, token: 'run-llm' };
  await runStages(hasty.records, id, sampleOutputs(), 'rag');
  await hasty.records.start(run);
  const { port } = new URL(hasty.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  const key = bearer('ann')['authorization'];
  socket.write(`GET ${path}/${id}/events HTTP/1.1\r\nhost: api\r\nauthorization: ${key}\r\n\r\n`);
  const listeners = async () => (await hasty.metrics.eventListeners.get()).values[0]?.value ?? 0;
  const text = 'x'.repeat(128 * 2 ** 10);
  let listened = false;
  for (let i = 0; i < 400; i += 1) {
    const count = await listeners();
    if (listened && count === 0) break;
    listened ||= count === 1;
    await hasty.records.delta(run, i, text);
  }
  expect(listened).toBe(true);
  expect(await listeners()).toBe(0);
  expect((await hasty.records.get(id))?.status).toBe('running');
  socket.destroy();
});

test('a slow client is not held in memory: it is sent the rest, once and in order, when it reads on', async () => {
  const id = await accept();
  const run = { id, stage: 'llm' as const, token: 'run-llm' };
  await runStages(api.records, id, sampleOutputs(), 'rag');
  await api.records.start(run);
  const seen: number[] = [];
  const events = eventsOf(await follow(id));
  for (let first = 0; first < 8; first += 1) {
    const { value } = await events.next();
    if (value) seen.push(value.id);
  }
  const text = 'x'.repeat(16 * 2 ** 10);
  const deltas = 700;
  await Promise.all(Array.from({ length: deltas }, async (_value, i) => await api.records.delta(run, i, text)));
  await api.records.finish(run, { output: sampleOutputs().llm, durationMs: 5, cached: false });
  for await (const event of events) seen.push(event.id);
  expect(seen).toEqual(Array.from({ length: 1 + 6 + 1 + deltas + 2 }, (_value, index) => index + 1));
});

test('listeners of one request all hear its end, with the resource', async () => {
  const id = await accept();
  const streams = await Promise.all(Array.from({ length: 20 }, async () => await follow(id)));
  await runStages(api.records, id, sampleOutputs());
  const ends = await Promise.all(
    streams.map(async (stream) => {
      let last: SentEvent | undefined;
      for await (const event of eventsOf(stream)) last = event;
      return last;
    }),
  );
  expect(ends.map((end) => end?.event)).toEqual(ends.map(() => 'completed'));
  for (const end of ends) expect(end?.data['resource']).toMatchObject({ id, status: 'completed' });
});

test('a stop ends the streams, and leaves no listener behind', async () => {
  const stopped = await startTestApi();
  const answer = await stopped.fetch(path, { method: 'POST', body: form(photo) });
  const { links } = (await answer.json()) as { links: { events: string } };
  const stream = await stopped.fetch(links.events);
  const events: string[] = [];
  for await (const { event } of eventsOf(stream)) {
    events.push(event);
    stopped.stopStreams();
  }
  expect(events).toEqual(['accepted']);
  const listeners = await stopped.metrics.eventListeners.get();
  expect(listeners.values.map(({ value }) => value)).toEqual([0]);
  await stopped.close();
});
