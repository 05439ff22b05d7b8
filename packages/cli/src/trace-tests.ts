// What system.test.ts asks of the traces of the whole system, which it starts.
import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createClient } from '@bunri/client';
import { stageOrder } from '@bunri/queue-contracts';
import { drawSamplePhoto, type CollectedSpan, type OtlpCollector } from '@bunri/testkit';

export interface TracedSystem {
  readonly apiUrl: string;
  readonly collector: OtlpCollector;
  /** What the processes have logged so far. */
  readonly lines: () => readonly string[];
}

const isStageLine = (line: string) => line.startsWith('{') && line.includes('"message":"stage"');

function newCaller() {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-01` } };
}

/** A client whose submissions carry these headers. */
function clientOf(baseUrl: string, headers: Readonly<Record<string, string>> = {}) {
  return createClient({
    baseUrl,
    fetch: async (url, init = {}) => {
      const carried = init.method === 'POST' ? headers : {};
      return await fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), ...carried } });
    },
  });
}

/** Which span each one is below, as lines. */
function treeOf(spans: readonly CollectedSpan[], caller: { spanId: string }): string[] {
  const names = new Map([[caller.spanId, 'caller'], ...spans.map((span) => [span.spanId, span.name] as const)]);
  const line = ({ service, name, parentSpanId }: CollectedSpan) =>
    `${service}: ${names.get(parentSpanId ?? '') ?? 'nobody'} > ${name}`;
  return spans.map(line).toSorted();
}

const expectedTree = [
  'bunri-api: caller > POST /v1/classifications',
  'bunri-api: POST /v1/classifications > accept classification',
  'bunri-api: accept classification > S3 store_object',
  ...stageOrder.flatMap((stage) => [
    `bunri-${stage}-worker: accept classification > wait ${stage}`,
    `bunri-${stage}-worker: accept classification > process ${stage}`,
  ]),
  'bunri-preprocess-worker: process preprocess > S3 read_object',
  'bunri-preprocess-worker: process preprocess > S3 store_object',
  'bunri-vision-worker: process vision > S3 read_object',
  'bunri-vision-worker: process vision > chat gpt-5',
  'bunri-llm-worker: process llm > chat gpt-4o-mini',
].toSorted();

/** Registers the tests. The system has tracing on, and nothing else does what `given` gives to anybody. */
export function traceTests(given: () => TracedSystem): void {
  test('a request is one trace, from its caller to the calls of the models, that its resource and log lines tell', async () => {
    const { apiUrl, collector, lines } = given();
    const caller = newCaller();
    const { traceId } = caller;
    const client = clientOf(apiUrl, caller.headers);
    const photo = await drawSamplePhoto({ seed: 77_000 });
    const { resource } = await client.submit(photo, { question: 'Where does the secret thing go?', locale: 'en' });
    const { id } = resource;
    expect([resource.trace_id, (await client.wait(id)).trace_id]).toEqual([traceId, traceId]);

    const isWhole = (found: readonly CollectedSpan[]) => found.length >= expectedTree.length;
    const spans = await collector.until(traceId, isWhole);
    expect(treeOf(spans, caller)).toEqual(expectedTree);
    expect(spans.find(({ name }) => name === 'chat gpt-5')?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-5',
      'gen_ai.provider.name': 'simulator',
      'gen_ai.usage.input_tokens': expect.any(Number),
      'gen_ai.usage.output_tokens': expect.any(Number),
      'server.address': '127.0.0.1',
    });
    expect(JSON.stringify(spans)).not.toContain('secret thing');

    const told = lines().filter((line) => isStageLine(line) && line.includes(id));
    expect(told).toHaveLength(stageOrder.length);
    for (const line of told) expect(line).toContain(`"trace_id":"${traceId}"`);
  });

  test('a problem tells the trace of its exchange, which an invalid traceparent does not begin', async () => {
    const { apiUrl, collector } = given();
    const ask = async (traceparent: string) => {
      const answer = await fetch(`${apiUrl}/v1/classifications/nothing`, { headers: { traceparent } });
      return (await answer.json()) as { trace_id?: string; request_id: string };
    };
    const { traceId, headers } = newCaller();
    expect(await ask(headers.traceparent)).toMatchObject({ trace_id: traceId });
    const own = await ask('00-nonsense');
    const [span] = await collector.until(own.trace_id ?? '', (spans) => spans.length > 0);
    expect(span).toMatchObject({ name: 'GET /v1/classifications/:id', parentSpanId: null, failed: false });
    expect(span?.attributes).toMatchObject({
      'http.response.status_code': 404,
      'bunri.http_request_id': own.request_id,
    });
    // Whoever leaves a trace out has left it out here, too.
    expect(await ask(headers.traceparent.replace(/01$/, '00'))).not.toHaveProperty('trace_id');
  });

  test('a stream is one span that ends with it, and probes and metrics are none', async () => {
    const { apiUrl, collector } = given();
    const { traceId, headers } = newCaller();
    for (const probe of ['healthz', 'readyz', 'metrics']) await fetch(`${apiUrl}/${probe}`, { headers });
    const client = clientOf(apiUrl);
    const photo = await drawSamplePhoto({ seed: 77_001 });
    const { id } = (await client.submit(photo, { question: 'And this?', locale: 'en' })).resource;
    await (await fetch(`${apiUrl}/v1/classifications/${id}/events`, { headers })).text();
    const spans = await collector.until(traceId, (found) => found.length > 0);
    expect(spans.map(({ name }) => name)).toEqual(['GET /v1/classifications/:id/events']);
    const { completed_at: completedAt } = await client.get(id);
    expect(spans[0]?.endedAt).toBeGreaterThanOrEqual(Date.parse(completedAt ?? ''));
  });
}
