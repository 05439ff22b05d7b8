import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Request } from '@bunri/queue-contracts';
import { startOtlpCollector, startProcess, type OtlpCollector, type RunningProcess } from '@bunri/testkit';
import * as z from 'zod';
import { parseConfig } from './config.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { closePipelines, startPipeline } from './pipeline-fixture.ts';
import { openTracer, type OpenTracer } from './tracing-sdk.ts';
import { traceAcceptance } from './tracing-acceptance.ts';
import { readTracing, tracingSettings } from './tracing-settings.ts';
import { inSpan, inTrace, parseTraceparent, recordSpan, setTracer, startTrace } from './tracing.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const hex = (bytes: number) => randomBytes(bytes).toString('hex');
const newParent = () => ({ traceId: hex(16), spanId: hex(8) });
const toTraceparent = ({ traceId, spanId }: { traceId: string; spanId: string }, flags = '01') =>
  `00-${traceId}-${spanId}-${flags}`;

function requestOf(over: Partial<Request>): Request {
  const source = { kind: 'url', url: 'https://example.com/x.jpg' } as const;
  const times = { createdAt: 1, deadlineAt: 2 };
  return {
    id: `req_${'0'.repeat(32)}`,
    owner: 'ann',
    question: '',
    locale: 'en',
    source,
    priority: 'batch',
    ...times,
    ...over,
  };
}

let collector: OtlpCollector;
beforeEach(async () => {
  collector = await startOtlpCollector();
});
afterEach(async () => {
  await closePipelines();
  await collector.stop();
});

describe('a stage in processes of its own', () => {
  const started: RunningProcess[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map(async (each) => await each.stop('SIGKILL')));
  });
  const lines: Record<string, unknown>[] = [];

  async function startWorker(prefix: string, trouble: string, env: Record<string, string>) {
    const worker = await startProcess({
      name: 'tracing worker',
      args: [new URL('tracing-worker.ts', import.meta.url).pathname, trouble],
      env: { REDIS_URL: process.env['REDIS_URL'], REDIS_PREFIX: prefix, ...env },
      onLine: (line) => {
        if (line.startsWith('{')) lines.push(JSON.parse(line) as Record<string, unknown>);
      },
    });
    started.push(worker);
    return worker;
  }

  test('runs again after its worker was killed and after it failed, in the same trace, which its log lines tell', async () => {
    const { submit, ended, prefix } = await startPipeline({}, { without: ['vision'] });
    const tracing = { TRACING: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
    const parent = newParent();
    const id = await submit({ trace: toTraceparent(parent) });
    await (
      await startWorker(prefix, 'dies', tracing)
    ).exited;
    const second = await startWorker(prefix, 'fails', tracing);
    expect((await ended(id)).record.status).toBe('completed');
    // What is still held is sent on the way out.
    await second.stop();

    const spans = collector.spans.filter(({ traceId }) => traceId === parent.traceId);
    expect(spans.every(({ parentSpanId }) => parentSpanId === parent.spanId)).toBe(true);
    const names = ['process vision', 'process vision', 'wait vision', 'wait vision'];
    expect(spans.map(({ name }) => name).toSorted()).toEqual(names);
    const [failed, completed] = spans.filter(({ name }) => name === 'process vision');
    expect(failed).toMatchObject({ service: 'bunri-test', failed: true });
    expect(failed?.attributes).toMatchObject({
      'bunri.request_id': id,
      'bunri.outcome': 'retry',
      'bunri.starts': 2,
      'error.type': 'model_unavailable',
    });
    expect(completed).toMatchObject({ failed: false });
    expect(completed?.attributes).toMatchObject({ 'bunri.outcome': 'completed', 'bunri.starts': 3 });
    const told = lines.filter((line) => line['request_id'] === id);
    expect(told.map((line) => line['outcome'])).toEqual(['retry', 'completed']);
    expect(told.map((line) => line['trace_id'])).toEqual([parent.traceId, parent.traceId]);
  });

  test('loads nothing of the SDK and sends nothing while tracing is off', async () => {
    const { submit, ended, prefix } = await startPipeline({}, { without: ['vision'] });
    lines.length = 0;
    const worker = await startWorker(prefix, 'fails', { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    // As by another process, whose settings are not the same.
    const id = await submit({ trace: toTraceparent(newParent()) });
    expect((await ended(id)).record.status).toBe('completed');
    await worker.stop();
    const loaded = lines.find((line) => line['message'] === 'loaded');
    expect(loaded?.['modules']).toEqual(['@opentelemetry/api']);
    expect(lines.some((line) => 'trace_id' in line)).toBe(false);
    expect(collector.calls).toBe(0);
  });
});

describe('the way to the collector', () => {
  let opened: OpenTracer | undefined;
  afterEach(async () => {
    setTracer(null);
    await opened?.close();
  });
  function open(endpoint: string, sampleRatio = 1) {
    const metrics = createMetrics({ app: 'test', processMetrics: false });
    const made = openTracer({ endpoint, serviceName: 'test', sampleRatio }, { log, metrics });
    opened = made;
    setTracer(made.tracer);
    const dropped = async () => (await metrics.tracesDropped.get()).values;
    return { close: async () => await made.close(), dropped };
  }

  test('holds a bounded number of spans, and what does not come through is counted', async () => {
    const { close, dropped } = open(collector.endpoint);
    collector.answer(400);
    // Of which one batch is under way.
    for (let i = 0; i < 512 + 2_048 + 10; i++) startTrace({ name: 'burst' })?.end();
    expect(await dropped()).toMatchObject([{ labels: { reason: 'queue_full' }, value: 10 }]);
    await close();
    expect(await dropped()).toMatchObject([
      { labels: { reason: 'queue_full' }, value: 10 },
      { labels: { reason: 'not_sent' }, value: 512 + 2_048 },
    ]);
    expect(collector.spans).toEqual([]);
  });

  test('keeps nobody from stopping when nobody answers', async () => {
    // Nothing is listening there any more.
    const { endpoint } = collector;
    await collector.stop();
    const { close, dropped } = open(endpoint);
    startTrace({ name: 'in vain' })?.end();
    await expect(close()).resolves.toBeUndefined();
    expect(await dropped()).toMatchObject([{ labels: { reason: 'not_sent' }, value: 1 }]);
    collector = await startOtlpCollector();
  });

  test('is taken by the spans of a trace as a tree, with links and times, and by no message of an error', async () => {
    const { close } = open(collector.endpoint);
    const parent = newParent();
    const other = newParent();
    const at = Date.now();
    const span = startTrace({ name: 'GET', kind: 'server', linkedTo: toTraceparent(other) }, toTraceparent(parent));
    const failing = span?.run(
      async () =>
        await inSpan(
          () => ({ name: 'below' }),
          async () => {
            recordSpan(() => ({ name: 'over', startedAt: at - 2_000 }), { endedAt: at });
            throw await Promise.reject(new Error('a secret'));
          },
        ),
    );
    await expect(failing).rejects.toThrow('a secret');
    span?.rename('GET /v1/queues');
    span?.end();
    await close();
    const [over, below, root] = collector.spans;
    expect(root).toMatchObject({ name: 'GET /v1/queues', traceId: parent.traceId, parentSpanId: parent.spanId });
    expect(root).toMatchObject({ links: [other.traceId], failed: false });
    expect(below).toMatchObject({ name: 'below', parentSpanId: root?.spanId, failed: true });
    expect(below?.attributes).toEqual({ 'error.type': 'Error' });
    expect(over).toMatchObject({ name: 'over', parentSpanId: below?.spanId, startedAt: at - 2_000, endedAt: at });
    expect(JSON.stringify(collector.spans)).not.toContain('a secret');
  });

  test('has each request in a trace of its own, linked to that of the request that it was made from', async () => {
    const origin = newParent();
    const request = requestOf({ trace: toTraceparent(origin) });
    // Off: nobody may take it for a part of the other's trace.
    expect(await traceAcceptance(request, async (accepted) => await Promise.resolve(accepted))).toEqual(requestOf({}));
    const { close } = open(collector.endpoint);
    const { trace, ...others } = await traceAcceptance(request, async (accepted) => await Promise.resolve(accepted));
    await close();
    const [span] = collector.spans;
    expect(others).toEqual(requestOf({}));
    expect(trace).toBe(span && toTraceparent(span));
    expect(span).toMatchObject({ name: 'accept classification', parentSpanId: null, links: [origin.traceId] });
  });

  test('is not taken by what its caller or the sampler leaves out, nor by what is below that', async () => {
    const { close } = open(collector.endpoint, 0);
    const unsampled = startTrace({ name: 'caller' }, toTraceparent(newParent(), '00'));
    const own = startTrace({ name: 'own' });
    for (const span of [unsampled, own]) {
      expect(span).toMatchObject({ traceId: undefined, traceparent: undefined });
      await span?.run(
        async () =>
          await inSpan(
            () => ({ name: 'below' }),
            async () => await Promise.resolve(),
          ),
      );
      span?.end();
    }
    const kept = newParent();
    await inTrace(
      toTraceparent(kept),
      () => ({ name: 'kept' }),
      async () => await Promise.resolve(),
    );
    await close();
    expect(collector.spans.map(({ name, traceId }) => [name, traceId])).toEqual([['kept', kept.traceId]]);
  });
});

test.each([
  ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 1],
  ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', 0],
  // A later version may say more.
  ['cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09-more', 1],
  ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more', null],
  ['ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', null],
  ['00-00000000000000000000000000000000-b7ad6b7169203331-01', null],
  ['00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01', null],
  ['00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01', null],
  ['', null],
])('the traceparent %j is read with flags %j, where it is one', (text, flags) => {
  expect(parseTraceparent(text)?.traceFlags ?? null).toBe(flags);
});

test('tracing is off unless it is asked for, and cannot be on without a collector', () => {
  const read = (env: Record<string, string>) => readTracing('api', parseConfig(z.object(tracingSettings), env));
  expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })).toBeNull();
  expect(() => read({ TRACING: 'otlp' })).toThrow('OTEL_EXPORTER_OTLP_ENDPOINT');
  expect(() => read({ TRACING: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' })).toThrow('http');
  const on = { TRACING: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  expect(() => read({ ...on, OTEL_EXPORTER_OTLP_HEADERS: 'a secret' })).toThrow('OTEL_EXPORTER_OTLP_HEADERS');
  expect(read({ ...on, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20YTpi=, x-tenant=one' })).toEqual({
    endpoint: 'http://collector:4318',
    headers: { authorization: 'Basic YTpi=', 'x-tenant': 'one' },
    serviceName: 'bunri-api',
    sampleRatio: 1,
  });
});
