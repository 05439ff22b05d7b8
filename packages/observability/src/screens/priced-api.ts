import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** By this the simulator tells its models from real ones; what they answer is free. */
const simulated = 'simulator/';

/** The text without the mark, however it was cut into pieces. */
export async function* withoutMark(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const piece of pieces) {
    const text = (held + decoder.decode(piece, { stream: true })).replaceAll(simulated, '');
    // The mark may have begun at the end of this piece.
    const begun = Array.from(simulated, (_, index) => simulated.slice(0, index)).findLast((part) =>
      text.endsWith(part),
    );
    held = begun ?? '';
    yield text.slice(0, text.length - held.length);
  }
  yield held + decoder.decode();
}

async function relay(baseUrl: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const headers = { authorization: request.headers.authorization ?? '', 'content-type': 'application/json' };
  const url = `${baseUrl}${(request.url ?? '').replace(/^\/v1/, '')}`;
  const answer = await fetch(url, { method: 'POST', headers, body: Buffer.concat(chunks), signal: gone.signal });
  const kept = [...answer.headers].filter(
    ([name]) => !/^(connection|content-length|keep-alive|transfer-encoding)$/.test(name),
  );
  response.writeHead(answer.status, Object.fromEntries(kept));
  await pipeline(withoutMark(answer.body ?? new Blob([]).stream()), response);
}

/**
 * The simulator as an API whose models have the names that they were asked by, so that its tokens cost what theirs would.
 * Whatever breaks on one side breaks on the other.
 */
export async function startPricedApi(baseUrl: string): Promise<{ baseUrl: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    relay(baseUrl, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
