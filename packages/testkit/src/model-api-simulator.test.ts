import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startModelApiSimulator, type ModelApiSimulator } from './model-api-simulator.ts';
import { drawSamplePhoto } from './photos.ts';
import { startProcess } from './processes.ts';
import { answerSchema, callBody, post } from './simulator-test-calls.ts';

let simulator: ModelApiSimulator;
beforeEach(async () => {
  simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [0, 0] }, seed: 1 });
});
afterEach(() => simulator.stop());

const call = (body: unknown, key?: string | null) => post(simulator.baseUrl, body, key === undefined ? {} : { key });

interface Message {
  type: string;
  content: { type: string; text: string }[];
}
interface Answered {
  status: string;
  model: string;
  output: Message[];
  usage: { input_tokens: number; output_tokens: number; input_tokens_details: { cached_tokens: number } };
}

async function answered(response: Response): Promise<Answered & { text: string }> {
  const body = (await response.json()) as Answered;
  return { ...body, text: body.output.at(-1)?.content[0]?.text ?? '' };
}

async function errorCode(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string } };
  return error.code;
}

test('an answer has the shape of the Responses API and says that it is simulated', async () => {
  const response = await call(callBody('How?'));
  expect(response.status).toBe(200);
  expect(response.headers.get('x-request-id')).toMatch(/^req_/);
  expect(Number(response.headers.get('x-ratelimit-remaining-requests'))).toBeGreaterThan(0);
  const { status, model, output, usage, text } = await answered(response);
  expect({ status, model }).toEqual({ status: 'completed', model: 'simulator/gpt-4o-mini' });
  expect(output.map(({ type }) => type)).toEqual(['message']);
  expect(output[0]?.content[0]?.type).toBe('output_text');
  expect(usage.input_tokens).toBeGreaterThan(0);
  expect(usage.output_tokens).toBeGreaterThan(0);
  expect(JSON.parse(text)).toMatchObject({ answer: expect.stringMatching(/^\[simulated\] /), steps: [] });
});

test('each rule of the call becomes a step that cites it, in the language of the rules', async () => {
  const text =
    'Rules:\n[rule:pet.rinse] 내용물을 비우고 헹굽니다.\n- [rule:pet.label] 라벨을 뗍니다.\n\n어떻게 버려요?';
  const value: unknown = JSON.parse((await answered(await call(callBody(text)))).text);
  expect(value).toMatchObject({
    answer: '[시뮬레이터 응답] 내용물을 비우고 헹굽니다. 라벨을 뗍니다.',
    steps: [
      { text: '내용물을 비우고 헹굽니다.', rule_ids: ['pet.rinse'] },
      { text: '라벨을 뗍니다.', rule_ids: ['pet.label'] },
    ],
  });
});

test('however many rules a call holds, the answer has three sentences behind its marker, as guidance asks', async () => {
  const text = [1, 2, 3, 4].map((i) => `[rule:can.${i}] Rinse it. Flatten it.`).join('\n');
  const { answer } = JSON.parse((await answered(await call(callBody(text)))).text) as { answer: string };
  expect(answer).toBe('[simulated] Rinse it. Flatten it. Rinse it.');
});

const itemSchema = {
  type: 'object',
  properties: {
    item_id: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    item_name: { type: 'string' },
    category: { type: 'string', enum: ['food', 'recyclable', 'general'] },
    cap: { $ref: '#/$defs/cap' },
    confidence: { type: 'number', minimum: 0, maximum: 1 },
  },
  required: ['item_id', 'item_name', 'category', 'cap', 'confidence'],
  additionalProperties: false,
  $defs: { cap: { type: 'string', enum: ['on', 'off', 'unknown'] } },
};
const instructions = 'Items:\npet-bottle | 페트병 | PET bottle | recyclable\n- tissue | 휴지 | tissue | general';
const itemCall = (text: string, image: Buffer) =>
  callBody(
    text,
    { instructions, text: { format: { type: 'json_schema', name: 'item', strict: true, schema: itemSchema } } },
    image,
  );

test.each([
  ['이 페트병은 어떻게 버리나요?', { item_id: 'pet-bottle', item_name: '페트병', category: 'recyclable' }],
  ['Where does this tissue go?', { item_id: 'tissue', item_name: 'tissue', category: 'general' }],
  ['The item is <question>a tissue</question> PET bottle', { item_id: 'tissue' }],
])('%s picks the line of the catalogue that it names', async (text, expected) => {
  const response = await answered(await call(itemCall(text, await drawSamplePhoto())));
  expect(JSON.parse(response.text)).toMatchObject(expected);
});

test('a catalogue may have its category as a heading', async () => {
  const grouped =
    '# Catalogue\n## general | 일반종량제\ntissue: 휴지\n## recyclable | 무색페트병\npet-bottle: 페트병\n# Output\nnote: x';
  const body = { ...itemCall('이 페트병은 어떻게 버리나요?', await drawSamplePhoto()), instructions: grouped };
  const response = await answered(await call(body));
  const said: unknown = JSON.parse(response.text);
  expect(said).toMatchObject({ item_id: 'pet-bottle', item_name: '페트병', category: 'recyclable', cap: 'unknown' });
});

test('the same image and text give the same answer, and another image need not', async () => {
  const photos = await Promise.all(
    [1, 1, 2, 3, 4, 5, 6].map((seed) => drawSamplePhoto({ seed, width: 64, height: 48 })),
  );
  const texts = await Promise.all(photos.map(async (photo) => (await answered(await call(itemCall('?', photo)))).text));
  expect(texts[0]).toBe(texts[1]);
  expect(new Set(texts).size).toBeGreaterThan(2);
});

test('a stream has the events of the real API in their order, and its deltas make the text', async () => {
  const body = await (await call(callBody('How?', { stream: true, model: 'gpt-5' }))).text();
  const events = body
    .trimEnd()
    .split('\n\n')
    .map((event) => JSON.parse(event.slice(event.indexOf('data: ') + 6)) as Record<string, unknown>);
  const types = events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);
  expect(types).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.output_item.done',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ]);
  expect(events.map((event) => event['sequence_number'])).toEqual(events.map((_, index) => index));
  const deltas = events.flatMap(({ type, delta }) => (type === 'response.output_text.delta' ? [delta] : []));
  expect(deltas.join('')).toBe(events.find(({ type }) => type === 'response.output_text.done')?.['text']);
});

test('a key is required, and a wrong one is refused', async () => {
  for (const key of [null, 'sk-invalid-1']) {
    const response = await call(callBody('How?'), key);
    expect([response.status, await errorCode(response)]).toEqual([401, 'invalid_api_key']);
  }
});

const loose = { ...answerSchema, additionalProperties: true };
test.each([
  ['JSON that is none', '{', 'invalid_json'],
  ['a call without a model', callBody('', { model: undefined }), 'invalid_value'],
  ['reasoning for a model that has none', callBody('', { reasoning: { effort: 'low' } }), 'unsupported_parameter'],
  ['temperature for a reasoning model', callBody('', { model: 'gpt-5', temperature: 0 }), 'unsupported_parameter'],
  ['an image that is none', callBody('', {}, Buffer.alloc(0)), 'invalid_image'],
  [
    'a schema that is not strict',
    callBody('', { text: { format: { type: 'json_schema', name: 'a', strict: true, schema: loose } } }),
    'invalid_json_schema',
  ],
])('%s is a bad request, as with the real API', async (_name, body, code) => {
  const response = await call(body);
  expect([response.status, await errorCode(response)]).toEqual([400, code]);
});

test('the log tells what a call was and how it ended', async () => {
  const photo = await drawSamplePhoto();
  await (await call(callBody('How?', {}, photo))).text();
  expect(simulator.calls()).toEqual([
    {
      at: expect.any(Number),
      kind: 'vision',
      model: 'gpt-4o-mini',
      imageSha256: createHash('sha256').update(photo).digest('hex'),
      stream: false,
      fault: null,
      status: 200,
      aborted: false,
      durationMs: expect.any(Number),
    },
  ]);
});

test('the second call with the same long instructions is served from the prefix cache', async () => {
  const long = callBody('How?', { instructions: 'word '.repeat(2_000) });
  const [first, second] = [await answered(await call(long)), await answered(await call(long))];
  expect(first.usage.input_tokens_details.cached_tokens).toBe(0);
  expect(second.usage.input_tokens_details.cached_tokens).toBeGreaterThan(1_024);
});

test('a stopped simulator listens no more', async () => {
  const { port, hostname } = new URL(simulator.baseUrl);
  await simulator.stop();
  const [error] = await once(connect(Number(port), hostname), 'error');
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
});

test('as a process it enforces its limits, takes its faults over HTTP and ends on SIGTERM', async () => {
  const main = fileURLToPath(new URL('simulator-main.ts', import.meta.url));
  const listening = Promise.withResolvers<string>();
  const args = [main, '--answer-ms', '0-1', '--seed', '3', '--requests-per-minute', '1'];
  const running = await startProcess({ name: 'simulator', args, env: {}, onLine: listening.resolve });
  const { listening: baseUrl } = JSON.parse(await listening.promise) as { listening: string };
  const plan = (body: string) => fetch(new URL('/simulator/faults', baseUrl), { method: 'PUT', body });
  expect((await plan('[{"fault":"earthquake"}]')).status).toBe(400);
  expect((await plan('[{"fault":"quota"}]')).status).toBe(200);
  const init = { method: 'POST', headers: { authorization: 'Bearer k' }, body: JSON.stringify(callBody('How?')) };
  expect((await fetch(`${baseUrl}/responses`, init)).status).toBe(429);
  expect((await fetch(`${baseUrl}/responses`, init)).headers.get('retry-after')).toBe('60');
  const calls: unknown = await (await fetch(new URL('/simulator/calls', baseUrl))).json();
  expect(calls).toMatchObject([
    { fault: 'quota', status: 429 },
    { fault: null, status: 429 },
  ]);
  expect(await running.stop()).toEqual({ code: 0, signal: null });
});
