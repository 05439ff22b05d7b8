import { createServer } from 'node:net';

/**
 * A TCP port that nobody listened on a moment ago. Another process may take it before the caller does, so whoever
 * cannot let the kernel choose (port 0) must be ready to try again.
 */
export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('the kernel gave no TCP port'));
        else resolve(address.port);
      });
    });
  });
}
