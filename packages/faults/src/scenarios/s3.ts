import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { portOf } from '../rig.ts';
import type { Run, Scenario } from '../scenario.ts';

const awayMs = 30_000;
const slowMs = 15_000;
/** Attempts are spent in about ten seconds; the requests that were under way by then may say so. */
const mayFail = ['storage_unavailable'] as const;

async function during(run: Run, mode: 'refuse' | 'delay', ms: number): Promise<void> {
  const { rig, strikes, lifted, pause } = run;
  strikes();
  await rig.s3.proxy.setMode(mode);
  await pause(ms);
  await rig.s3.proxy.setMode('pass');
  lifted();
}

/** Says to every call what S3 says when it is overloaded. */
async function startSlowDown(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    const body = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Simulated.</Message></Error>';
    response.writeHead(503, { 'content-type': 'application/xml' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export const s3Faults: readonly Scenario[] = [
  {
    name: 's3-down',
    says: 'S3 refuses every connection for 30 s',
    mayFail,
    fault: async (run) => await during(run, 'refuse', awayMs),
  },
  {
    name: 's3-slow',
    says: 'every packet to and from S3 takes 400 ms for 15 s',
    fault: async (run) => await during(run, 'delay', slowMs),
  },
  {
    name: 's3-503',
    says: 'S3 answers every call with 503 SlowDown for 15 s',
    mayFail,
    async fault({ rig: { s3 }, strikes, lifted, pause }) {
      const server = await startSlowDown();
      try {
        strikes();
        s3.proxy.retarget((server.address() as AddressInfo).port, { cut: true });
        await pause(slowMs);
      } finally {
        s3.proxy.retarget(portOf(s3.server.endpoint), { cut: true });
        server.closeAllConnections();
        server.close();
      }
      lifted();
    },
  },
];
