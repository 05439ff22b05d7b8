import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { afterRunning, releaseBytes } from '@bunri/runtime';
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
 * calls, and no redirect is followed. The bytes are gone soon after they are sent. Where a kept connection was closed by
 * the API just then, the call goes out again over a new one, once.
 *
 * The body of a 2xx answer is left to `bodyOf`: read through the streams of the global `fetch`, a streamed answer costs
 * twice the processor time. Other answers come with theirs.
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
  const sent: OutgoingHttpHeaders = {
    ...Object.fromEntries(headers instanceof Headers ? headers : new Headers(headers)),
    'accept-encoding': 'identity',
    'content-length': body.length,
  };
  const options = { ...urlToHttpOptions(url), method, headers: sent, ...(signal && { signal }) };
  try {
    return await sendOnce(options, body);
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
    return await sendOnce({ ...options, agent: false }, body);
  }
}

/** A kept connection that the API closed before it read the call. */
class StaleConnection extends Error {}

/**
 * How soon a kept connection breaks that the API had closed when the call went out: a round trip later. One that breaks after
 * this may have had the model at work.
 */
const staleMs = 2_000;

/** @throws StaleConnection, and `body` is still there, for a call to be sent over a new connection. */
async function sendOnce(options: RequestOptions, body: Uint8Array): Promise<IncomingMessage> {
  const request = options.protocol === 'http:' ? requestHttp : requestHttps;
  return await new Promise((resolve, reject) => {
    let mayBeStale = false;
    let stopWaiting: (() => void) | undefined;
    const settle = () => {
      mayBeStale = false;
      if (stopWaiting === undefined) return;
      stopWaiting();
      releaseBytes(body);
    };
    const call = request(options, (message) => {
      settle();
      resolve(message);
    });
    // A connection that is made for this call cannot have been closed for having been idle.
    call.once('socket', () => (mayBeStale = call.reusedSocket));
    // Not before all of it is sent: what is left would be sent out of memory that is somebody else's by then.
    const sent = () => {
      if (!mayBeStale) return releaseBytes(body);
      stopWaiting = afterRunning(staleMs, settle);
    };
    // Stays on: a request that is destroyed later says so once more.
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (mayBeStale && brokenBy.has(error.code)) {
        stopWaiting?.();
        call.off('finish', sent);
        reject(new StaleConnection());
        return;
      }
      settle();
      reject(error.name === 'AbortError' ? error : connectionFailed());
    });
    call.once('finish', sent).end(body);
  });
}

const brokenBy = new Set<string | undefined>(['ECONNRESET', 'EPIPE']);

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
