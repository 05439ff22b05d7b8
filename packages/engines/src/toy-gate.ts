import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { ToyTask } from './toy-predictor.ts';

/** For tests: where tasks of the toy model are held until the test lets them go. */
export interface Gate {
  readonly hold: ToyTask;
  /** Resolves when a task is held. */
  held(): Promise<void>;
  open(): void;
  close(): Promise<void>;
}

export async function openGate(): Promise<Gate> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket.on('error', () => socket.destroy())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    hold: { do: 'hold', port },
    held: async () => void (await once(server, 'connection')),
    open: () => sockets.forEach((socket) => socket.end()),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
