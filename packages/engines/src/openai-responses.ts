import OpenAI from 'openai';
import type { ToldLimits } from '@bunri/runtime';
import type { Prediction } from './engine.ts';
import { readAnswer } from './model-answer.ts';
import { halfWay, modelError, timedOut } from './model-errors.ts';
import { bodyOf, fetchByNode, readText } from './model-http.ts';
import { requestBody, type StructuredCall } from './model-request.ts';
import { streamedAnswer } from './model-stream.ts';
import { notePerhapsPaid } from './paid-failure.ts';
import { parseJson } from './parse-json.ts';
import { noteTold, toldLimits } from './rate-limit-headers.ts';

export interface OpenAiClientOptions {
  readonly apiKey: string;
  /** Of any API that speaks OpenAI's Responses protocol, up to and including `/v1`. Default: OpenAI's own. */
  readonly baseUrl?: string | undefined;
  /** For a whole call, to the last byte of its answer. */
  readonly timeoutMs: number;
}

/**
 * OpenAI's client, such that it makes exactly one HTTP request a call (attempts are counted in the stage catalogue alone),
 * but for one over a kept connection that had been closed (see `fetchByNode`); prints nothing, and takes where and as whom
 * it calls from these options. Of the environment it reads only `OPENAI_CUSTOM_HEADERS`, headers that it adds to each call.
 *
 * @throws when the key cannot be sent in a header, which otherwise would look like a broken connection at every call, and
 * when the base URL is none.
 */
export function createOpenAiClient(options: OpenAiClientOptions): OpenAI {
  const { apiKey, baseUrl = 'https://api.openai.com/v1', timeoutMs } = options;
  if (!/^[!-~]+$/.test(apiKey)) {
    throw new Error('The API key of the model API must be printable ASCII without spaces or line ends.');
  }
  if (!URL.canParse(baseUrl)) throw new Error('The base URL of the model API is no URL.');
  return new OpenAI({
    apiKey,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: baseUrl,
    timeout: timeoutMs,
    maxRetries: 0,
    logLevel: 'off',
    fetch: fetchByNode,
  });
}

export interface CallOptions {
  readonly client: OpenAI;
  readonly model: string;
  readonly signal: AbortSignal;
  /** The JSON text of the answer so far, in full, whenever more of it has arrived. Given, the answer is streamed. */
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
  const ended = new AbortController();
  let isLate = false;
  let response: Response | undefined;
  const stop = () => {
    ended.abort();
    // The SDK's own abort and timer reach no further than the headers.
    if (response) bodyOf(response).destroy();
  };
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, client.timeout);
  signal.addEventListener('abort', stop, { once: true });
  let told: ToldLimits | undefined;
  try {
    response = await accepted(
      client,
      { body: requestBody(call, { model, isStreamed: onText !== undefined }), signal: ended.signal },
      now,
    );
    told = toldLimits(response.headers);
    const answer = await (onText ? streamedAnswer(response, onText, now) : wholeAnswer(response));
    return { ...readAnswer(answer, call.schema, client.baseURL, now()), ...(told && { told }) };
  } catch (error) {
    // An aborted call fails in many ways, some of them without a word; why it was aborted is what counts.
    signal.throwIfAborted();
    const failure = isLate ? timedOut() : error;
    noteTold(failure, told);
    throw failure;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/**
 * The answer of an API that has accepted a call; its body is still to come. The SDK sends the body as it is: its own
 * `responses.create` would write it anew, photo and all.
 */
async function accepted(
  client: OpenAI,
  { body, signal }: { body: Buffer; signal: AbortSignal },
  now: () => number,
): Promise<Response> {
  try {
    const headers = { 'content-type': 'application/json' };
    return await client.post('/responses', { body, headers, signal }).asResponse();
  } catch (error) {
    throw modelError(error, now());
  }
}

/**
 * The response that a body holds; where it is something else, `readAnswer` says so. One that breaks off was made, and is
 * billed.
 */
async function wholeAnswer(response: Response): Promise<unknown> {
  try {
    const text = await readText(bodyOf(response));
    const answer = json.test(response.headers.get('content-type') ?? '') ? parseJson(text) : text;
    if (answer === undefined) throw halfWay();
    return answer;
  } catch (error) {
    notePerhapsPaid(error);
    throw error;
  }
}

const json = /^application\/(?:[\w.-]+\+)?json\b/i;
