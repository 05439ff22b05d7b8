import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { Readable } from 'node:stream';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';
import { PermanentError, TransientError } from '@bunri/runtime';

export interface ImageFetcherOptions {
  /** Of the body; more than this ends the stream with `image_too_large`. */
  readonly maxBytes: number;
  /** For everything from the first look-up to the last byte. */
  readonly timeoutMs: number;
  readonly allowHttp: boolean;
  /** Addresses and CIDR ranges that may be reached although they are not public. */
  readonly allowAddresses: readonly string[];
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
 * Fetches images for clients without being their way into our network (OWASP, Server-Side Request Forgery Prevention).
 * The agent checks every address that a name resolves to and connects to no other; since each redirect is a request of
 * its own, each is checked the same way.
 */
export function createImageFetcher(options: ImageFetcherOptions): FetchImage {
  const { maxBytes, timeoutMs, allowHttp, allowAddresses } = options;
  const agentOptions = { keepAlive: false, allowIPAddressList: [...allowAddresses] };
  const httpAgent = new RequestFilteringHttpAgent(agentOptions);
  const httpsAgent = new RequestFilteringHttpsAgent(agentOptions);

  async function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    // A compressed answer could unpack to anything, and an image gains nothing by it.
    const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'bunri' };
    return await new Promise((resolve, reject) => {
      const sent =
        url.protocol === 'https:'
          ? getHttps(url, { agent: httpsAgent, headers, signal }, resolve)
          : getHttp(url, { agent: httpAgent, headers, signal }, resolve);
      sent.once('error', reject);
    });
  }

  return async (address, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const bound = AbortSignal.any([signal, timeout]);
    const translate = (error: unknown) => {
      signal.throwIfAborted();
      return timeout.aborted ? unreachable('The image URL did not answer in time.', error) : toFailure(error);
    };
    let url = parseUrl(address, allowHttp);
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
      url = parseUrl(location, allowHttp, url);
    }
    throw new PermanentError('image_url_unreachable', `The image URL redirects more than ${maxRedirects} times.`);
  };
}

function parseUrl(text: string, allowHttp: boolean, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url === null) throw forbidden('The image URL is not a URL.');
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    throw forbidden('The image URL, or one that it redirects to, does not use https.');
  }
  if (url.username !== '' || url.password !== '') throw forbidden('The image URL must not contain credentials.');
  return url;
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
  // Errors of sockets, names, TLS and HTTP have a code; those with which the agent refuses an address have none.
  if ((error as NodeJS.ErrnoException).code !== undefined) {
    return unreachable('The image URL could not be fetched.', error);
  }
  return forbidden('The image URL, or one that it redirects to, is not at a public address.', error);
}

function forbidden(message: string, cause?: unknown): PermanentError {
  return new PermanentError('image_url_forbidden', message, { cause });
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
