import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { PermanentError, TransientError } from '@bunri/runtime';
import { createPublicClient, ForbiddenUrlError, type OutboundPolicy } from '@bunri/runtime/public-fetch';

export interface ImageFetcherOptions extends OutboundPolicy {
  /** Of the body; more than this ends the stream with `image_too_large`. */
  readonly maxBytes: number;
  /** For everything from the first look-up to the last byte. */
  readonly timeoutMs: number;
}

/**
 * Starts to fetch what a client's URL names. The body is a stream that ends with one of the same errors:
 * `image_url_forbidden` and `image_too_large` permanently; `image_url_unreachable` permanently when the other side says no
 * (4xx), else transiently; or the signal's reason.
 */
export type FetchImage = (url: string, signal: AbortSignal) => Promise<Readable>;

const maxRedirects = 3;
const redirectStatuses = [301, 302, 303, 307, 308];

/**
 * Fetches images for clients without being their way into our network. Since each redirect is a request of its own, each
 * is checked as the first one.
 */
export function createImageFetcher(options: ImageFetcherOptions): FetchImage {
  const { maxBytes, timeoutMs, ...policy } = options;
  const client = createPublicClient(policy);

  async function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    // A compressed answer could unpack to anything, and an image gains nothing by it.
    const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'bunri' };
    return await new Promise((resolve, reject) => {
      const sent = client.request(url, { method: 'GET', headers, signal });
      sent.once('response', resolve).once('error', reject).end();
    });
  }

  return async (address, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const bound = AbortSignal.any([signal, timeout]);
    const translate = (error: unknown) => {
      signal.throwIfAborted();
      return timeout.aborted ? unreachable('The image URL did not answer in time.', error) : toFailure(error);
    };
    const check = (text: string, base?: URL) => {
      try {
        return client.check(text, base);
      } catch (error) {
        throw toFailure(error);
      }
    };
    let url = check(address);
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      let answer: IncomingMessage;
      try {
        answer = await request(url, bound);
      } catch (error) {
        throw translate(error);
      }
      const { statusCode = 0 } = answer;
      const { location } = answer.headers;
      if (!redirectStatuses.includes(statusCode) || location === undefined) {
        checkAnswer(answer, maxBytes);
        return Readable.from(readBounded(answer, maxBytes, translate), { objectMode: false });
      }
      answer.destroy();
      url = check(location, url);
    }
    throw new PermanentError('image_url_unreachable', `The image URL redirects more than ${maxRedirects} times.`);
  };
}

/** @throws unless the answer is a 200 whose announced size is allowed; the connection is then closed. */
function checkAnswer(answer: IncomingMessage, maxBytes: number): void {
  const { statusCode = 0 } = answer;
  const announcedBytes = Number(answer.headers['content-length'] ?? 0);
  if (statusCode === 200 && announcedBytes <= maxBytes) return;
  answer.destroy();
  if (statusCode === 200) throw tooLarge(maxBytes);
  const message = `The image URL answered with status ${statusCode}.`;
  if (statusCode >= 500 || statusCode === 408 || statusCode === 429) throw unreachable(message);
  throw new PermanentError('image_url_unreachable', message);
}

async function* readBounded(
  answer: IncomingMessage,
  maxBytes: number,
  translate: (error: unknown) => Error,
): AsyncGenerator<Buffer> {
  let sizeBytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof PermanentError ? error : translate(error);
  }
}

function toFailure(error: unknown): Error {
  if (!(error instanceof ForbiddenUrlError)) return unreachable('The image URL could not be fetched.', error);
  const message = `The image URL, or one that it redirects to, is refused because ${error.message}.`;
  return new PermanentError('image_url_forbidden', message, { cause: error });
}

function unreachable(message: string, cause?: unknown): TransientError {
  return new TransientError('image_url_unreachable', message, { cause });
}

function tooLarge(maxBytes: number): PermanentError {
  return new PermanentError(
    'image_too_large',
    `The image is larger than ${maxBytes / 2 ** 20} MiB. Send a smaller one.`,
  );
}
