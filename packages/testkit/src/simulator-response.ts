import { createHash, randomBytes } from 'node:crypto';
import type { Effect } from './simulator-effects.ts';
import { isReasoningModel, type ModelCall } from './simulator-request.ts';

/** What the model says, and how it ends. */
export interface Saying {
  readonly text: string;
  readonly isRefusal: boolean;
  readonly end: Effect['end'];
}

/** What the model says under an effect; `text` is what it would say without one. */
export function sayingOf(text: string, { speech, end }: Effect): Saying {
  const saying: Saying = { text, isRefusal: false, end };
  switch (speech) {
    case 'sound':
      return end.status === 'incomplete' ? { ...saying, text: firstHalf(text) } : saying;
    case 'garbage':
      return { ...saying, text: `Sure! Here is what you asked for: ${firstHalf(text)}` };
    case 'other_shape':
      return { ...saying, text: '{"simulated":"an object of another shape"}' };
    case 'refusal':
      return { ...saying, text: "I'm sorry, but I can't assist with that.", isRefusal: true };
  }
}

function firstHalf(text: string): string {
  return text.slice(0, Math.floor(text.length / 2));
}

/** A response object of the Responses API in its last state. */
export function finishedResponse(call: ModelCall, saying: Saying, usage: TokenUsage): Record<string, unknown> {
  const { end } = saying;
  const status = end.status === 'error_event' ? 'failed' : end.status;
  return {
    id: randomId('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status,
    error: 'code' in end ? { code: end.code, message: 'The simulated model failed.' } : null,
    incomplete_details: 'reason' in end ? { reason: end.reason } : null,
    instructions: call.instructions,
    model: `simulator/${call.model}`,
    output: outputOf(call, saying),
    parallel_tool_calls: true,
    temperature: isReasoningModel(call.model) ? null : 1,
    tool_choice: 'auto',
    tools: [],
    top_p: isReasoningModel(call.model) ? null : 1,
    metadata: {},
    usage: status === 'failed' ? null : usage,
  };
}

/** Models that think put an item before their message that says nothing to the reader. */
function outputOf(call: ModelCall, saying: Saying): Record<string, unknown>[] {
  if ('code' in saying.end) return [];
  const message = {
    id: randomId('msg'),
    type: 'message',
    role: 'assistant',
    status: saying.end.status,
    content: [contentPart(saying, saying.text)],
  };
  return isReasoningModel(call.model) ? [{ id: randomId('rs'), type: 'reasoning', summary: [] }, message] : [message];
}

function contentPart({ isRefusal }: Saying, text: string): Record<string, unknown> {
  return isRefusal ? { type: 'refusal', refusal: text } : { type: 'output_text', text, annotations: [], logprobs: [] };
}

const deltasAtMost = 24;

/**
 * The server-sent events of a streamed answer, in the order and with the names of the real API ("Streaming events" in
 * its reference), each ready to be written.
 */
export function streamedResponse(call: ModelCall, saying: Saying, usage: TokenUsage): string[] {
  const response = finishedResponse(call, saying, usage);
  const begun = { ...response, status: 'in_progress', error: null, incomplete_details: null, output: [], usage: null };
  const events: Record<string, unknown>[] = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
  ];
  outputOf(call, saying).forEach((item, output_index) => {
    events.push({ type: 'response.output_item.added', output_index, item: { ...item, content: [] } });
    if (item['type'] === 'message') events.push(...messageEvents(saying, { item_id: item['id'], output_index }));
    events.push({ type: 'response.output_item.done', output_index, item });
  });
  if (saying.end.status === 'error_event') {
    events.push({ type: 'error', code: saying.end.code, message: 'The simulated model failed.', param: null });
  } else {
    events.push({ type: `response.${saying.end.status}`, response });
  }
  return events.map(
    (event, sequence_number) =>
      `event: ${String(event['type'])}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`,
  );
}

function messageEvents(saying: Saying, item: { item_id: unknown; output_index: number }): Record<string, unknown>[] {
  const { text, isRefusal } = saying;
  const place = { ...item, content_index: 0 };
  // A delta of the real API never ends inside a character.
  const characters = Array.from(text);
  const size = Math.max(4, Math.ceil(characters.length / deltasAtMost));
  const deltas = Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
  const name = isRefusal ? 'response.refusal' : 'response.output_text';
  const logprobs = isRefusal ? {} : { logprobs: [] };
  return [
    { type: 'response.content_part.added', ...place, part: contentPart(saying, '') },
    ...deltas.map((delta) => ({ type: `${name}.delta`, ...place, delta, ...logprobs })),
    { type: `${name}.done`, ...place, [isRefusal ? 'refusal' : 'text']: text, ...logprobs },
    { type: 'response.content_part.done', ...place, part: contentPart(saying, text) },
  ];
}

export interface TokenUsage {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: number };
  readonly total_tokens: number;
}

const imageTokens = 800;
/** The real API serves a prompt's beginning from its cache in steps of 128 tokens, once it has 1,024. */
const cache = { least: 1_024, step: 128 };

/** Counts tokens roughly, and remembers which instructions it saw, as the provider's prefix cache does. */
export function tokenCounter(): (call: ModelCall, output: string) => TokenUsage {
  const seen = new Set<string>();
  return (call, output) => {
    const instructionTokens = roughTokens(call.instructions);
    const key = createHash('sha256').update(`${call.model}\n${call.instructions}`).digest('base64');
    const isCached = seen.has(key) && instructionTokens >= cache.least;
    seen.add(key);
    const input = inputTokens(call);
    const outputTokens = roughTokens(output);
    return {
      input_tokens: input,
      input_tokens_details: { cached_tokens: isCached ? instructionTokens - (instructionTokens % cache.step) : 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + outputTokens,
    };
  };
}

/** What a call counts against the limit of tokens, with this answer. */
export function callTokens(call: ModelCall, output: string): number {
  return inputTokens(call) + roughTokens(output);
}

function inputTokens({ instructions, text, kind }: ModelCall): number {
  return roughTokens(instructions) + roughTokens(text) + (kind === 'vision' ? imageTokens : 0);
}

/** About four characters of English a token, and about 1.3 of Korean. */
function roughTokens(text: string): number {
  const korean = text.match(/[가-힣]/g)?.length ?? 0;
  return Math.ceil((text.length - korean) / 4 + korean / 1.3);
}

function randomId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString('hex')}`;
}
