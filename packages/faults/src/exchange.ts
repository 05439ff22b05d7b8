import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

/** The connection broke, was refused, or stayed silent: nothing is known about what the other side did. */
export class BrokenConnection extends Error {
  override readonly name = 'BrokenConnection';
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Breaks the exchange off, also while its answer is being read. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end. @throws BrokenConnection */
  readonly body: AsyncIterable<Buffer>;
}

/**
 * One HTTP exchange. Not by `fetch`: a stream that is dropped in the middle, which is what the clients of a fault run do,
 * makes Node 24's throw where nobody can catch it.
 *
 * @throws BrokenConnection
 */
export function exchange(agent: Agent, url: string, { method = 'GET', headers, body, signal }: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, method, signal, ...(headers ? { headers } : {}) }, (answer) => {
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: piecesOf(answer) });
    });
    outgoing.on('error', (error) => reject(broken(error)));
    outgoing.end(body);
  });
}

export async function textOf({ body }: Answer): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

/** A form as it goes over the wire. */
export async function encodeForm(form: FormData): Promise<{ body: Uint8Array; headers: Record<string, string> }> {
  const encoded = new Response(form);
  const body = new Uint8Array(await encoded.arrayBuffer());
  return {
    body,
    headers: {
      'content-type': encoded.headers.get('content-type') ?? '',
      'content-length': String(body.byteLength),
    },
  };
}

async function* piecesOf(answer: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const piece of answer) yield piece as Buffer;
  } catch (error) {
    throw broken(error);
  }
}

function broken(cause: unknown): BrokenConnection {
  return new BrokenConnection(cause instanceof Error ? cause.message : String(cause), { cause });
}
