import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { releaseBytes } from '@bunri/runtime';
import { connectionFailed, invalidOutput } from './model-errors.ts';

/** Far more than any answer has, though the API repeats the prompt in it. */
const mostCharacters = 8 * 1024 * 1024;

/**
 * A 2xx answer, whose body is still to come. It has the message itself: what a WeakMap holds outlives the quick collections
 * of garbage, which keeps megabytes of sent photos alive.
 */
class Answer extends Response {
  readonly message: IncomingMessage;

  constructor(message: IncomingMessage) {
    super(null, { status: message.statusCode ?? 0 });
    this.message = message;
  }
}

/**
 * The `fetch` for OpenAI's SDK: a body of bytes goes by Node's own client over connections that are kept for the next
 * calls, and no redirect is followed. They are gone once they are sent. The body of a 2xx answer is left to `bodyOf`: read through the streams of the global
 * `fetch`, a streamed answer costs twice the processor time. Other answers come with theirs.
 *
 * @throws TransientError `model_unavailable` when the connection fails, an AbortError once the signal is aborted.
 */
export async function fetchByNode(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const message = await send(new URL(input instanceof Request ? input.url : input), init);
  const { statusCode = 0 } = message;
  if (statusCode < 200 || statusCode > 299) {
    // A refusal is told by its status, even where its body breaks off.
    const text = await readText(message).catch(() => '');
    return withHeaders(new Response(text === '' ? null : text, { status: statusCode }), message);
  }
  return withHeaders(new Answer(message), message);
}

/** The body of a 2xx answer that `fetchByNode` gave; to be read to its end or destroyed. */
export function bodyOf(response: Response): IncomingMessage {
  if (!(response instanceof Answer)) throw new TypeError('The response is of another fetch, or no success.');
  return response.message;
}

async function send(url: URL, { method = 'GET', headers, body, signal }: RequestInit): Promise<IncomingMessage> {
  if (!(body instanceof Uint8Array)) throw new TypeError('The body must be bytes.');
  const request = url.protocol === 'http:' ? requestHttp : requestHttps;
  const sent: OutgoingHttpHeaders = {
    ...Object.fromEntries(headers instanceof Headers ? headers : new Headers(headers)),
    'accept-encoding': 'identity',
    'content-length': body.length,
  };
  const options = { ...urlToHttpOptions(url), method, headers: sent, ...(signal && { signal }) };
  return await new Promise((resolve, reject) => {
    const call = request(options, resolve);
    // Stays on: a request that is destroyed later says so once more.
    call.on('error', (error) => reject(error.name === 'AbortError' ? error : connectionFailed()));
    call.end(body, () => releaseBytes(body));
  });
}

function withHeaders(response: Response, { headersDistinct }: IncomingMessage): Response {
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    for (const value of values) response.headers.append(name, value);
  }
  return response;
}

/**
 * Reads an answer's text to its end, piece by piece as it arrives.
 *
 * @throws TransientError `model_unavailable` when the connection fails, `model_output_invalid` for a text without end, and
 * what `take` throws; then the connection is closed.
 */
export async function readPieces(message: IncomingMessage, take: (piece: string) => void): Promise<void> {
  let length = 0;
  await new Promise<void>((resolve, reject) => {
    // What broke in the same turn that it began in has told nobody, and will not do so again.
    if (message.destroyed) reject(connectionFailed());
    message.setEncoding('utf8');
    message.on('data', (piece: string) => {
      length += piece.length;
      try {
        if (length > mostCharacters) throw invalidOutput('it is too long');
        take(piece);
      } catch (error) {
        reject(error);
        message.destroy();
      }
    });
    message.once('end', resolve);
    message.on('error', () => reject(connectionFailed()));
    message.once('close', () => {
      if (!message.readableEnded) reject(connectionFailed());
    });
  });
}

/** @throws as `readPieces` does. */
export async function readText(message: IncomingMessage): Promise<string> {
  let text = '';
  await readPieces(message, (piece) => {
    text += piece;
  });
  return text;
}
