import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { afterRunning } from './after-running.ts';

/** A named condition of readiness; false or a rejection means not ready. */
export type ReadinessCheck = () => Promise<boolean> | boolean;

export interface ProbeOptions {
  readonly port: number;
  readonly host?: string;
  readonly registry: Registry;
  readonly checks: Record<string, ReadinessCheck>;
}

export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

const checkTimeoutMs = 2_000;

/**
 * Which checks fail; empty when the process is ready. A check that rejects or takes longer than 2 s, in which the process
 * ran, has failed.
 */
export async function failingChecks(checks: Record<string, ReadinessCheck>): Promise<string[]> {
  const late = Promise.withResolvers<false>();
  const stopWaiting = afterRunning(checkTimeoutMs, () => late.resolve(false));
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const asked = Promise.resolve().then(check);
      const ok = await Promise.race([asked, late.promise]).catch(() => false);
      return ok ? [] : [name];
    }),
  );
  stopWaiting();
  return results.flat();
}

/**
 * `/healthz` answers from the event loop alone, so that a busy worker or an absent Redis never gets a pod killed;
 * `/readyz` asks the checks; `/metrics` is for Prometheus.
 */
export async function serveProbes({ port, host = '0.0.0.0', registry, checks }: ProbeOptions): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url?.split('?', 1)[0];
      if (path === '/healthz') {
        response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
      } else if (path === '/readyz') {
        const failing = await failingChecks(checks);
        response.writeHead(failing.length === 0 ? 200 : 503, { 'content-type': 'application/json' });
        response.end(`${JSON.stringify({ ready: failing.length === 0, failing })}\n`);
      } else if (path === '/metrics') {
        response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
      } else {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
      }
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  return await listen(server, port, host);
}

async function listen(server: Server, port: number, host: string): Promise<ProbeServer> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
