import { Agent, request } from 'node:http';

/** One HTTP exchange of a load. */
export interface Shot {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** What it must be answered with: a status, or one of several. */
  readonly status: number | readonly number[];
}

/** Clients that keep their connections, each sending one request after the other. */
export interface HttpLoad {
  /** @throws at the first answer with another status, with the answer's text. */
  fire(shot: Shot): Promise<string>;
  /** Gives the ms of each exchange, from sending it to the end of its answer. */
  drive(
    shot: Shot,
    options: { count: number; concurrency: number; each?: (done: number) => Promise<void> },
  ): Promise<number[]>;
  close(): void;
}

export function createHttpLoad(origin: string): HttpLoad {
  const agent = new Agent({ keepAlive: true });

  async function fire({ method, path, headers = {}, body = '', status }: Shot): Promise<string> {
    return await new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      const exchange = request(`${origin}${path}`, {
        agent,
        method,
        headers: method === 'POST' ? { ...headers, ...length } : headers,
      });
      exchange.once('error', reject);
      exchange.once('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString();
          if ([status].flat().includes(response.statusCode ?? 0)) resolve(text);
          else reject(new Error(`${method} ${path} was answered ${response.statusCode}: ${text.slice(0, 500)}`));
        });
      });
      exchange.end(body);
    });
  }

  return {
    fire,
    async drive(shot, { count, concurrency, each }) {
      const ms: number[] = [];
      let started = 0;
      await Promise.all(
        Array.from({ length: concurrency }, async () => {
          while (started < count) {
            started += 1;
            const sentAt = performance.now();
            await fire(shot);
            ms.push(performance.now() - sentAt);
            await each?.(ms.length);
          }
        }),
      );
      return ms;
    },
    close: () => agent.destroy(),
  };
}
