import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { failure } from '@bunri/queue-contracts';
import { drawSamplePhoto } from '@bunri/testkit';
import { requestsTo, type FuzzRequest, type Operation } from './fuzz-requests.ts';
import type { Resolve, Schema } from './fuzz-values.ts';
import { openApiDocument } from './openapi.ts';
import { sentAs } from './openapi-headers.ts';
import { sampleOutputs } from './sample-outputs.ts';
import { form, runStages, startTestApi, type TestApi } from './test-api.ts';
import { bearer } from './test-keys.ts';

// Others may keep the machine busy.
const runsEach = 16;
const seed = 20_260_301;
const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;

interface Described {
  readonly parameters?: Operation['parameters'];
  readonly requestBody?: { readonly content: Operation['body'] };
  readonly responses: Operation['responses'];
}
const document = JSON.parse(JSON.stringify(openApiDocument())) as {
  paths: Record<string, Partial<Record<(typeof methods)[number], Described>>>;
  components: { schemas: Record<string, Schema> };
};
const operations: Operation[] = Object.entries(document.paths).flatMap(([path, item]) =>
  methods.flatMap((method) => {
    const { [method]: given } = item;
    if (!given) return [];
    const { parameters = [], requestBody, responses } = given;
    const name = `${method.toUpperCase()} ${path}`;
    return [{ name, method: method.toUpperCase(), path, parameters, body: requestBody?.content ?? {}, responses }];
  }),
);
// What removes things comes after what reads them.
operations.sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
const resolve: Resolve = (reference) => document.components.schemas[reference.split('/').at(-1) ?? ''] ?? {};

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ ...document, $id: 'openapi' });
const validators = new Map<string, ValidateFunction>();

/** The check of one answer, with references into the document. */
function validatorOf(schema: Schema): ValidateFunction {
  const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components');
  const known = validators.get(text) ?? ajv.compile(JSON.parse(text) as object);
  validators.set(text, known);
  return known;
}

// A connection a request: one that is closed while it is reused would look like an answer that never came.
const agent = new Agent({ keepAlive: false, maxSockets: 8 });
let api: TestApi;
let ids: string[];
let batchId: string;
beforeAll(async () => {
  api = await startTestApi();
  const photo = await drawSamplePhoto();
  const submit = async (n: number) => {
    const body = form(photo, { question: `${n}?` });
    const answer = await api.fetch('/v1/classifications', { method: 'POST', body });
    return ((await answer.json()) as { id: string }).id;
  };
  ids = await Promise.all([1, 2, 3, 4, 5, 6].map(submit));
  for (const id of ids.slice(0, 4)) await runStages(api.records, id, sampleOutputs());
  await api.records.fail(ids[4] ?? '', failure('model_unavailable', 'Away.', 'vision'));
  const file = new Blob(['{"image_url":"https://example.com/a.jpg"}\n']);
  const rows = new FormData();
  rows.append('file', file, 'rows.jsonl');
  const made = await api.fetch('/v1/batches', { method: 'POST', body: rows });
  batchId = ((await made.json()) as { id: string }).id;
  if (!made.ok) throw new Error(`the batch was answered with ${made.status}`);
});
afterAll(async () => {
  agent.destroy();
  await api.close();
});

interface Answer {
  readonly status: number;
  readonly type: string | null;
  /** Names of the headers that the document describes anywhere. */
  readonly headers: readonly string[];
  readonly text: string;
}

async function send({ method, path, headers, body }: FuzzRequest): Promise<Answer> {
  const answer = await new Promise<IncomingMessage>((done, reject) => {
    // Node tells no length with some methods, and the body would be taken for the next request.
    const length = body === null ? {} : { 'content-length': body.byteLength };
    const sent = httpRequest(api.url, { method, path, headers: { ...headers, ...length }, agent }, done);
    sent.once('error', reject);
    sent.end(body ?? undefined);
  });
  const { 'content-type': type } = answer.headers;
  const facts = {
    status: answer.statusCode ?? 0,
    type: type?.split(';')[0] ?? null,
    headers: Object.values(sentAs).filter((name) => answer.headers[name.toLowerCase()] !== undefined),
  };
  if (facts.type === 'text/event-stream') {
    // An open request's stream does not end.
    answer.destroy();
    return { ...facts, text: '' };
  }
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return { ...facts, text: Buffer.concat(chunks).toString() };
}

/** What is wrong with an answer by the document; null where nothing is. */
function complaint({ responses }: Operation, { status, type, headers, text }: Answer): string | null {
  if (status >= 500) return `a ${status}: ${text.slice(0, 300)}`;
  const described = responses[String(status)];
  if (!described) return `an undocumented ${status}: ${text.slice(0, 300)}`;
  if (!headers.includes(sentAs.RequestId)) return 'an answer without x-request-id';
  const untold = headers.find((name) => !Object.hasOwn(described.headers ?? {}, name));
  if (untold !== undefined) return `a ${status} with ${untold}, which is not documented`;
  if (/\n +at |node_modules|file:\/\//.test(text) && type !== 'text/html') return 'an answer that shows our code';
  const { content } = described;
  // What a redirect says beside its Location is for people.
  if (!content)
    return text === '' || (status >= 300 && status < 400) ? null : `a ${status} with a body, which is not documented`;
  const media = content[type ?? ''];
  if (!media) return `a ${status} of the undocumented type ${String(type)}`;
  if (type !== 'application/json' && type !== 'application/problem+json') return null;
  const check = validatorOf(media.schema);
  const body: unknown = JSON.parse(text);
  if (!check(body)) return `a ${status} that does not fit its schema: ${ajv.errorsText(check.errors)}`;
  if (type === 'application/json') return null;
  const { code, status: told } = body as { code: string; status: number };
  if (!Object.hasOwn(media.examples ?? {}, code)) return `a ${status} of the undocumented code ${code}: ${text}`;
  return told === status ? null : `a ${status} whose body says ${told}`;
}

describe('whatever is sent, the answer is documented and no failure of ours', () => {
  test.each(operations)('$name', async (operation) => {
    const isForAdmins = operation.path.includes('/admin') || operation.path.startsWith('/v1/stats');
    const [right, ...others] = (isForAdmins ? ['root', 'ann'] : ['ann', 'root', 'bob', 'annReads']).map(bearer);
    const keys = { right: right ?? {}, others };
    const known = { keys, ids: operation.path.startsWith('/v1/batches') ? [batchId] : ids };
    const property = fc.asyncProperty(requestsTo(operation, resolve, known), async (request) => {
      expect(complaint(operation, await send(request))).toBeNull();
    });
    await fc.assert(property, { seed, numRuns: runsEach, endOnFailure: true });
  });
});

test('paths and methods that there are not get a problem document', async () => {
  const path = fc.oneof(
    fc.constantFrom(
      '/',
      '/v1',
      '/v1/',
      '//',
      '/v1/classifications/',
      '/v1/items/x',
      '/%',
      '/%2e%2e',
      '/v1/classifications/%00',
    ),
    fc.webPath(),
  );
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND');
  const property = fc.asyncProperty(method, path, async (verb, at) => {
    const answer = await send({ method: verb, path: at || '/', headers: bearer('ann'), body: null });
    expect(answer.status).toBeLessThan(500);
    const types = answer.status < 400 ? [answer.type] : ['application/problem+json', 'text/html'];
    expect(types).toContain(answer.type);
  });
  await fc.assert(property, { seed, numRuns: 60, endOnFailure: true });
});

test('headers beyond what a server holds are refused by themselves', async () => {
  const answer = await send({ method: 'GET', path: '/v1/items', headers: { cookie: 'x'.repeat(20_000) }, body: null });
  expect(answer.status).toBe(431);
});
