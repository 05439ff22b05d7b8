import OpenAI, { type APIPromise } from 'openai';
import type { ResponseCreateParamsNonStreaming, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { TransientError, type ToldLimits } from '@bunri/runtime';
import type { z } from 'zod';
import type { Prediction } from './engine.ts';
import { readAnswer } from './model-answer.ts';
import { failedAnswer, modelError, timedOut } from './model-errors.ts';
import { notePerhapsPaid } from './paid-failure.ts';
import { noteTold, toldLimits } from './rate-limit-headers.ts';
import { strictFormat } from './strict-schema.ts';

export interface OpenAiClientOptions {
  readonly apiKey: string;
  /** Of any API that speaks OpenAI's Responses protocol, up to and including `/v1`. Default: OpenAI's own. */
  readonly baseUrl?: string | undefined;
  /** For a whole call, to the last byte of its answer. */
  readonly timeoutMs: number;
}

/**
 * A client that makes exactly one HTTP request a call (attempts are counted in the stage catalogue alone), takes nothing
 * but these options into account for where and as whom it calls, and prints nothing.
 *
 * @throws when the key cannot be sent in a header, which otherwise would look like a broken connection at every call.
 */
export function createOpenAiClient({ apiKey, baseUrl, timeoutMs }: OpenAiClientOptions): OpenAI {
  if (!/^[!-~]+$/.test(apiKey)) {
    throw new Error('The API key of the model API must be printable ASCII without spaces or line ends.');
  }
  return new OpenAI({
    apiKey,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: baseUrl ?? 'https://api.openai.com/v1',
    timeout: timeoutMs,
    maxRetries: 0,
    logLevel: 'off',
  });
}

/** What is asked of a model in one call. */
export interface StructuredCall<Value> {
  /** What is the same in all calls belongs here: providers cache a prompt by its beginning. */
  readonly instructions: string;
  readonly text: string;
  readonly image?: {
    readonly bytes: Uint8Array;
    readonly mediaType: string;
    readonly detail?: 'low' | 'high' | 'auto';
  };
  /** Of the answer: an object without optional properties. */
  readonly schema: z.ZodType<Value>;
  /** Letters, digits, `_` and `-`. */
  readonly schemaName: string;
  readonly maxOutputTokens?: number;
  /** Sent only where it is given: models that do not reason reject it. */
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high';
}

export interface CallOptions {
  readonly client: OpenAI;
  readonly model: string;
  readonly signal: AbortSignal;
  /** The JSON text of the answer so far, in full, at every piece that arrives. Given, the answer is streamed. */
  readonly onText?: (textSoFar: string) => void;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/**
 * One call of the Responses API with a strict JSON schema, validated by the zod schema.
 *
 * @throws PermanentError, TransientError or RateLimitedError, none of which quotes key, image, question or answer; the
 * signal's reason once that is aborted.
 */
export async function callModel<Value>(
  call: StructuredCall<Value>,
  { client, model, signal, onText, now = Date.now }: CallOptions,
): Promise<Prediction<Value>> {
  signal.throwIfAborted();
  const params = paramsOf(model, call);
  // The SDK's own timer ends with the headers of a streamed answer.
  const outOfTime = new AbortController();
  const timer = setTimeout(() => outOfTime.abort(), client.timeout);
  const options = { signal: AbortSignal.any([signal, outOfTime.signal]) };
  let told: ToldLimits | undefined;
  try {
    let answer: unknown;
    if (onText === undefined) {
      ({ data: answer, told } = await begun(client.responses.create(params, options), now));
    } else {
      const stream = await begun(client.responses.create({ ...params, stream: true }, options), now);
      told = stream.told;
      answer = await streamedAnswer(stream.data, onText, now);
    }
    return { ...readAnswer(answer, call.schema, client.baseURL, now()), ...(told && { told }) };
  } catch (error) {
    // An aborted call fails in many ways, some of them without a word; why it was aborted is what counts.
    signal.throwIfAborted();
    const failure = outOfTime.signal.aborted ? timedOut() : error;
    noteTold(failure, told);
    throw failure;
  } finally {
    clearTimeout(timer);
  }
}

function paramsOf<Value>(model: string, call: StructuredCall<Value>): ResponseCreateParamsNonStreaming {
  const { instructions, text, image, schema, schemaName, maxOutputTokens, reasoningEffort } = call;
  return {
    model,
    instructions,
    input: [
      {
        role: 'user',
        content: [{ type: 'input_text', text }, ...(image === undefined ? [] : [imagePart(image)])],
      },
    ],
    text: { format: strictFormat(schema, schemaName) },
    // People's photos are not left with the provider.
    store: false,
    ...(maxOutputTokens === undefined ? {} : { max_output_tokens: maxOutputTokens }),
    ...(reasoningEffort === undefined ? {} : { reasoning: { effort: reasoningEffort } }),
  };
}

function imagePart({ bytes, mediaType, detail = 'auto' }: NonNullable<StructuredCall<unknown>['image']>) {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return { type: 'input_image' as const, detail, image_url: `data:${mediaType};base64,${base64}` };
}

/** What the API sends once it has accepted a call, and what its headers tell of its limits. */
async function begun<Data>(
  request: APIPromise<Data>,
  now: () => number,
): Promise<{ data: Data; told: ToldLimits | undefined }> {
  let isAccepted = false;
  try {
    const { headers } = await request.asResponse();
    isAccepted = true;
    return { data: await request, told: toldLimits(headers) };
  } catch (error) {
    const failure = modelError(error, now());
    // An answer whose body breaks off was made, and is billed.
    if (isAccepted) notePerhapsPaid(failure);
    throw failure;
  }
}

const lastEvents = new Set<string>(['response.completed', 'response.incomplete', 'response.failed']);

/**
 * The response of the event that ends a stream. The stream is read on to its own end, so that its connection can serve
 * the next call; that it breaks after the answer is complete no longer matters.
 */
async function streamedAnswer(
  stream: AsyncIterable<ResponseStreamEvent>,
  onText: (textSoFar: string) => void,
  now: () => number,
): Promise<unknown> {
  let text = '';
  let response: unknown;
  try {
    for await (const event of translatedEvents(stream, now)) {
      if (event.type === 'response.output_text.delta') {
        text += event.delta;
        onText(text);
      } else if (event.type === 'error') {
        throw failedAnswer(event.code, undefined, now());
      } else if (lastEvents.has(event.type) && 'response' in event) {
        response = event.response;
      }
    }
  } catch (error) {
    if (response !== undefined) return response;
    // A refusal is not billed, unless it comes after a part of the answer.
    if (error instanceof TransientError || text !== '') notePerhapsPaid(error);
    throw error;
  }
  if (response !== undefined) return response;
  const halfWay = new TransientError('model_unavailable', 'The model API ended its answer half way; try again later.');
  notePerhapsPaid(halfWay);
  throw halfWay;
}

/** Translates what reading the stream throws, and nothing that its reader throws. */
async function* translatedEvents(
  stream: AsyncIterable<ResponseStreamEvent>,
  now: () => number,
): AsyncGenerator<ResponseStreamEvent> {
  try {
    yield* stream;
  } catch (error) {
    throw modelError(error, now());
  }
}
