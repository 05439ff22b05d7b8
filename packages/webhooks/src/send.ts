import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { ForbiddenUrlError, type PublicClient } from '@bunri/runtime/public-fetch';
import { parseRetryAfter } from './schedule.ts';

/** Why an attempt did not get an answer. */
export type SendError = 'timeout' | 'unreachable' | 'url_forbidden';

export type SendResult =
  | {
      readonly status: number;
      /** What the receiver asked for, ms; 0 where it did not. */
      readonly retryAfterMs: number;
      /** The beginning of the body, without anything that is no plain text. */
      readonly excerpt: string;
    }
  | { readonly error: SendError };

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SenderOptions {
  readonly client: PublicClient;
  /** For the whole attempt. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

const excerptBytes = 256;
/** A receiver that says more than this loses its connection. */
const maxAnswerBytes = 64 * 1024;

/** Sends one message. @throws the signal's reason when that aborts it, and nothing else that the other side may cause. */
export function createSender({ client, timeoutMs, now }: SenderOptions) {
  return async ({ url, headers, body }: Message, stopped: AbortSignal): Promise<SendResult> => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([stopped, timeout]);
    try {
      const answer = await postAnew(client, { url, headers, body }, signal);
      const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], now());
      return { status: answer.statusCode ?? 0, retryAfterMs, excerpt: await readExcerpt(answer) };
    } catch (error) {
      stopped.throwIfAborted();
      if (timeout.aborted) return { error: 'timeout' };
      return { error: error instanceof ForbiddenUrlError ? 'url_forbidden' : 'unreachable' };
    }
  };
}
export type Sender = ReturnType<typeof createSender>;

/** A receiver may close a connection that was kept alive in the very moment in which it is used again. */
async function postAnew(...given: Parameters<typeof post>): Promise<IncomingMessage> {
  try {
    return await post(...given);
  } catch (error) {
    if (error instanceof StaleConnectionError) return await post(...given);
    throw error;
  }
}

class StaleConnectionError extends Error {
  override readonly name = 'StaleConnectionError';
}

async function post(
  client: PublicClient,
  { url, headers, body }: Message,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const own = { 'content-type': 'application/json', 'user-agent': 'bunri-webhooks/1', 'accept-encoding': 'identity' };
  const size = { 'content-length': Buffer.byteLength(body) };
  const sent: ClientRequest = client.request(client.check(url), {
    method: 'POST',
    headers: { ...own, ...headers, ...size },
    signal,
  });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  sent.end(body);
  const [answer] = await answered.catch((error: unknown) => {
    const isReset = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    throw sent.reusedSocket && isReset
      ? new StaleConnectionError('the connection was closed', { cause: error })
      : error;
  });
  // A socket that breaks after the answer has begun is told by the answer itself.
  sent.on('error', () => undefined);
  return answer;
}

/** Reads the answer to its end, so that the connection can be used again; of one that is long, slow or broken not even that. */
async function readExcerpt(answer: IncomingMessage): Promise<string> {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let sizeBytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (keptBytes < excerptBytes) {
        const piece = chunk.subarray(0, excerptBytes - keptBytes);
        kept.push(piece);
        keptBytes += piece.length;
      }
      if (sizeBytes > maxAnswerBytes) break;
    }
  } catch {
    // The status has been told already; the rest of the body is of no use to anybody.
  }
  return sanitise(Buffer.concat(kept).toString());
}

/** Runs of space, control characters, also those that turn the direction of text, and broken letters become one space. */
function sanitise(text: string): string {
  return text.replaceAll(/[\p{C}\p{Z}\uFFFD]+/gu, ' ').trim();
}
