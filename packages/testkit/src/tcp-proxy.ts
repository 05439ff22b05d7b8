import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * How a proxy treats the connections through it:
 *
 * - `pass`: as if it were not there;
 * - `refuse`: nobody listens, and open connections are reset, as when a server has died;
 * - `blackhole`: connections open and stay open, and no byte goes through, as when a network is parted; what was sent
 *   meanwhile comes late, as TCP sends it again;
 * - `delay`: every piece comes `delayMs` later.
 */
export type ProxyMode = 'pass' | 'refuse' | 'blackhole' | 'delay';

export interface TcpProxyOptions {
  /** Port on loopback that is passed on to. */
  readonly targetPort: number;
  /** Of mode `delay`, one way. Default 200. */
  readonly delayMs?: number;
}

export interface TcpProxy {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** Resolves once the mode holds for old and new connections. */
  setMode(mode: ProxyMode): Promise<void>;
  /** New connections go to another port; open ones stay where they are unless `cut` resets them. */
  retarget(port: number, options?: { readonly cut?: boolean }): void;
  /** Resets all connections. */
  stop(): Promise<void>;
}

const host = '127.0.0.1';

/** Passes a port on loopback on to another one, and breaks the way between them in the ways that networks break. */
export async function startTcpProxy({ targetPort, delayMs = 200 }: TcpProxyOptions): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let mode: ProxyMode = 'pass';
  let target = targetPort;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const pair = joinSockets(client, target, { mode: () => mode, delayMs });
    pairs.add(pair);
    void pair.closed.then(() => pairs.delete(pair));
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const resetAll = () => {
    for (const pair of pairs) pair.reset();
  };
  return {
    port,
    get connections() {
      return pairs.size;
    },
    async setMode(wanted) {
      mode = wanted;
      if (wanted === 'refuse') {
        const closed = server.listening ? close(server) : undefined;
        resetAll();
        await closed;
        return;
      }
      if (!server.listening) await listen(server, port);
      for (const pair of pairs) pair.obey();
    },
    retarget(wanted, { cut = false } = {}) {
      target = wanted;
      if (cut) resetAll();
    },
    async stop() {
      const closed = server.listening ? close(server) : undefined;
      resetAll();
      await closed;
    },
  };
}

interface Pair {
  /** Takes up the mode that is set now. */
  obey(): void;
  reset(): void;
  /** Resolves once both connections are gone. */
  readonly closed: Promise<unknown>;
}

function joinSockets(
  client: Socket,
  targetPort: number,
  { mode, delayMs }: { mode: () => ProxyMode; delayMs: number },
): Pair {
  const server = connect({ port: targetPort, host, allowHalfOpen: true });
  const both = [client, server] as const;
  const reset = () => {
    for (const socket of both) {
      // libuv refuses to reset a connection that is being shut down, and Node then leaves it open for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  };
  const forward = (from: Socket, to: Socket) => {
    let underWay = 0;
    const later = (act: () => void) => {
      // What comes after a late piece stays behind it, also when the mode has changed since.
      if (mode() !== 'delay' && underWay === 0) {
        act();
        return;
      }
      underWay += 1;
      setTimeout(() => {
        underWay -= 1;
        act();
      }, delayMs);
    };
    from.on('data', (chunk: Buffer) => {
      later(() => {
        if (to.destroyed || to.write(chunk)) return;
        // Whoever reads slowly slows the other side down, as without a proxy.
        from.pause();
        to.once('drain', obey);
      });
    });
    from.once('end', () => later(() => to.end()));
  };
  const obey = () => {
    for (const socket of both) {
      if (mode() === 'blackhole') socket.pause();
      else socket.resume();
    }
  };
  forward(client, server);
  forward(server, client);
  for (const socket of both) {
    socket.setNoDelay(true);
    // A connection that breaks on one side breaks on the other.
    socket.on('error', reset);
  }
  const closed = both.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
  client.once('close', () => server.destroySoon());
  server.once('close', () => client.destroySoon());
  obey();
  return { obey, reset, closed: Promise.all(closed) };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
