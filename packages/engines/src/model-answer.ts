import type { Engine } from '@bunri/queue-contracts';
import * as z from 'zod';
import type { Prediction, TokenCount } from './engine.ts';
import { failedAnswer, invalidOutput, refused } from './model-errors.ts';
import { notePaid } from './paid-failure.ts';
import { simulatedModelPrefix } from './prices.ts';

const tokenCount = z.int().nonnegative();

/** What is read of a response. Compatible APIs leave out much of the rest. */
const responseSchema = z.object({
  model: z.string().min(1),
  status: z.string(),
  error: z.object({ code: z.string().nullish() }).nullish(),
  incomplete_details: z.object({ reason: z.string().nullish() }).nullish(),
  output: z.array(
    z.object({
      type: z.string(),
      content: z.array(z.object({ type: z.string(), text: z.string().optional() })).nullish(),
    }),
  ),
  usage: z
    .object({
      input_tokens: tokenCount,
      input_tokens_details: z.object({ cached_tokens: tokenCount }).nullish(),
      output_tokens: tokenCount,
    })
    .nullish(),
});
type ModelResponse = z.infer<typeof responseSchema>;

/**
 * The prediction that a response of the Responses API holds.
 *
 * @param baseUrl of the API that gave it, which names the provider.
 * @param now epoch milliseconds.
 * @throws when it failed, was cut off, refuses, or says something that the schema does not accept. A response that does
 * not tell its tokens is not accepted either: its cost would be missing from every account.
 */
export function readAnswer<Value>(
  answer: unknown,
  schema: z.ZodType<Value>,
  baseUrl: string,
  now: number,
): Prediction<Value> {
  const parsed = responseSchema.safeParse(answer);
  if (!parsed.success) throw invalidOutput('the API did not send a response object');
  const response = parsed.data;
  try {
    return readResponse(response, schema, baseUrl, now);
  } catch (error) {
    if (response.usage) notePaid(error, { tokens: tokensOf(response), engine: engineOf(response, baseUrl) });
    throw error;
  }
}

function readResponse<Value>(
  response: ModelResponse,
  schema: z.ZodType<Value>,
  baseUrl: string,
  now: number,
): Prediction<Value> {
  if (response.status === 'failed') throw failedAnswer(response.error?.code, undefined, now);
  const parts = response.output.flatMap(({ content }) => content ?? []);
  if (parts.some(({ type }) => type === 'refusal')) throw refused('it declined to answer');
  if (response.status !== 'completed') throw unfinished(response);
  const text = parts.flatMap((part) => (part.type === 'output_text' ? [part.text ?? ''] : [])).join('');
  return {
    value: parseText(text, schema),
    engine: engineOf(response, baseUrl),
    tokens: tokensOf(response),
  };
}

function unfinished({ status, incomplete_details }: ModelResponse): Error {
  if (incomplete_details?.reason === 'content_filter') return refused('its answer was withheld by a content filter');
  return invalidOutput(status === 'incomplete' ? 'it was cut off' : 'it was not finished');
}

function parseText<Value>(text: string, schema: z.ZodType<Value>): Value {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    throw invalidOutput('it is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalidOutput(
    `it does not fit the schema (${issue?.code ?? 'unknown'} at ${issue?.path.join('.') || 'its root'})`,
  );
}

function engineOf({ model }: ModelResponse, baseUrl: string): Engine {
  return { provider: providerOf(model, baseUrl), model };
}

function providerOf(model: string, baseUrl: string): Engine['provider'] {
  if (model.startsWith(simulatedModelPrefix)) return 'simulator';
  const { hostname } = new URL(baseUrl);
  const isOpenAi = hostname === 'api.openai.com' || hostname.endsWith('.api.openai.com');
  return isOpenAi ? 'openai' : 'openai-compatible';
}

function tokensOf({ usage }: ModelResponse): TokenCount {
  if (usage === undefined || usage === null) throw invalidOutput('the API did not tell its tokens');
  const { input_tokens: input, output_tokens: output } = usage;
  // Never more than the input, lest a wrong count make a negative price.
  const cachedInput = Math.min(usage.input_tokens_details?.cached_tokens ?? 0, input);
  return { input, cachedInput, output };
}
