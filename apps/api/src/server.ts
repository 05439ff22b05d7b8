import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';

/**
 * How long a client may take to send its headers, and a whole request, its photo included; and how often it is looked for
 * connections that have taken longer.
 */
const slowLimits = { headersTimeoutMs: 15_000, requestTimeoutMs: 120_000, checkEveryMs: 5_000 };
/** Longer than load balancers keep idle connections, so that it is never the server that closes under a request. */
const keepAliveTimeoutMs = 75_000;
/** How often a stopping server looks for connections that have become idle. */
const idleCheckMs = 50;

export interface ApiServer {
  readonly port: number;
  /** Takes no more connections, lets running requests end for `graceMs`, then cuts off what is left. */
  close(graceMs: number): Promise<void>;
}

export async function serveApp(
  app: Express,
  { port, host, ...limits }: { port: number; host: string } & Partial<typeof slowLimits>,
): Promise<ApiServer> {
  const { headersTimeoutMs, requestTimeoutMs, checkEveryMs } = { ...slowLimits, ...limits };
  const settings = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: checkEveryMs,
    keepAliveTimeout: keepAliveTimeoutMs,
  };
  const server = createServer(settings, app);
  // A client that asks before it sends a body (Expect: 100-continue) is told to when somebody begins to read: one that is
  // refused before sends nothing, and its connection ends, since what came next would be taken for the body.
  server.on('checkContinue', (request, response) => {
    const { shouldKeepAlive } = response;
    response.shouldKeepAlive = false;
    request.once('resume', () => {
      if (response.headersSent) return;
      response.shouldKeepAlive = shouldKeepAlive;
      response.writeContinue();
    });
    app(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A connection that was busy when the stop began is kept alive after its answer unless somebody looks.
      const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(idle);
      clearTimeout(cut);
    },
  };
}
