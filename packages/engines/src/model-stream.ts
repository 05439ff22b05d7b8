import { createParser } from 'eventsource-parser';
import { TransientError } from '@bunri/runtime';
import { codeOf, failedAnswer, halfWay } from './model-errors.ts';
import { bodyOf, readPieces } from './model-http.ts';
import { isObject, parseJson } from './parse-json.ts';
import { notePerhapsPaid } from './paid-failure.ts';

const pieceOfText = 'response.output_text.delta';
const lastEvents: readonly unknown[] = ['response.completed', 'response.incomplete', 'response.failed'];
/** By name, where an event has one. The others repeat what these say, and the first of them the whole prompt. */
const telling: readonly unknown[] = [pieceOfText, ...lastEvents, 'error', undefined];

/**
 * The response of the event that ends a streamed answer. The stream is read on to its own end, so that its connection can
 * serve the next call; that it breaks after the answer is complete no longer matters.
 *
 * @param onText hears the text so far, in full, once for all that has arrived together.
 * @param now epoch milliseconds.
 * @throws TransientError, PermanentError or RateLimitedError, and what `onText` throws.
 */
export async function streamedAnswer(
  answer: Response,
  onText: (textSoFar: string) => void,
  now: () => number,
): Promise<unknown> {
  const read = { text: '', response: undefined as unknown };
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (telling.includes(event) && data !== '[DONE]') readEvent(data, read, answer, now);
    },
  });
  try {
    await readPieces(bodyOf(answer), (piece) => {
      const heard = read.text.length;
      parser.feed(piece);
      if (read.text.length > heard) onText(read.text);
    });
    if (read.response === undefined) throw halfWay();
  } catch (error) {
    if (read.response !== undefined) return read.response;
    // A refusal is not billed, unless it comes after a part of the answer.
    if (error instanceof TransientError || read.text !== '') notePerhapsPaid(error);
    throw error;
  }
  return read.response;
}

function readEvent(data: string, read: { text: string; response: unknown }, answer: Response, now: () => number): void {
  const event = parseJson(data);
  if (!isObject(event)) throw halfWay();
  const { type, delta, response, error } = event;
  if (type === pieceOfText) {
    if (typeof delta === 'string') read.text += delta;
  } else if (lastEvents.includes(type)) {
    read.response = response;
  } else if (type === 'error' || isObject(error)) {
    throw failedAnswer(codeOf(isObject(error) ? error : event), answer.headers, now());
  }
}
