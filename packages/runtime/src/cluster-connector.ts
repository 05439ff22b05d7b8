import { connect as connectTcp, isIP, Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type ConnectionOptions } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import type { ClusterUrl, Place } from './redis-url.ts';

/** So many nodes may send us on to the next one before we take it that they know no more than we do. */
const mostHops = 5;
const lookupTimeoutMs = 5_000;

/** For ioredis: connects to that node of a cluster which serves the slot of `key`, looked up anew at each connection. */
export function connectorToSlot(cluster: ClusterUrl, key: string): NonNullable<RedisOptions['Connector']> {
  return class extends SlotConnector {
    constructor() {
      super(cluster, key);
    }
  };
}

class SlotConnector extends AbstractConnector {
  readonly #cluster: ClusterUrl;
  readonly #key: string;
  /** Where the slot was last: it is asked too, should none of the nodes that the URL lists be left. */
  #last: Place | undefined;
  #lookup: AbortController | undefined;

  constructor(cluster: ClusterUrl, key: string) {
    super(2_000);
    this.#cluster = cluster;
    this.#key = key;
  }

  override async connect(): Promise<Socket> {
    this.connecting = true;
    delete this.firstError;
    try {
      const place = await this.#findOwner();
      if (!this.connecting) throw new Error('the client was closed meanwhile');
      this.#last = place;
      const { tls } = this.#cluster;
      const stream = tls ? connectTls({ ...place, ...tlsTo(place, this.#cluster) }) : connectTcp(place);
      stream.once('error', (error) => (this.firstError = error));
      this.stream = stream;
      return stream;
    } catch (error) {
      // As if a server had refused the connection: ioredis tries again by its usual strategy. A rejection would end the client.
      if (this.connecting) this.firstError = error instanceof Error ? error : new Error(String(error));
      return new Socket().destroy();
    }
  }

  /** A replica has the slot, but takes no writes. */
  override check({ role }: { role?: string }): boolean {
    return role !== 'slave';
  }

  override disconnect(): void {
    this.#lookup?.abort();
    // Before the first connection there is none.
    const stream: Socket | undefined = this.stream;
    if (stream?.destroyed) this.connecting = false;
    else super.disconnect();
  }

  /** Asks all nodes that we know at once, as the ones that are lost may take long to say nothing. */
  async #findOwner(): Promise<Place> {
    const places = [...this.#cluster.nodes];
    const last = this.#last;
    if (last && !places.some(({ host, port }) => host === last.host && port === last.port)) places.push(last);
    const lookup = new AbortController();
    this.#lookup = lookup;
    const timer = setTimeout(() => lookup.abort(), lookupTimeoutMs);
    try {
      return await Promise.any(places.map(async (place) => await this.#follow(place, lookup.signal)));
    } catch (error) {
      if (!(error instanceof AggregateError)) throw error;
      const troubles = places.map(({ host, port }, i) => `${host}:${port} ${messageOf(error.errors[i])}`);
      throw new Error(`no node of the cluster serves the slot of ${this.#key}: ${troubles.join('; ')}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      lookup.abort();
    }
  }

  /** The node that serves the slot, by what a node says, and by its own word. */
  async #follow(from: Place, signal: AbortSignal): Promise<Place> {
    let place = from;
    for (let hop = 0; hop < mostHops; hop += 1) {
      const next = await this.#ask(place, signal);
      if (next === undefined) return place;
      place = next;
    }
    throw new Error('the nodes disagree on who serves them');
  }

  /** Undefined where the node serves the slot itself; else where it sends us. */
  async #ask({ host, port }: Place, signal: AbortSignal): Promise<Place | undefined> {
    if (signal.aborted) throw new Error('was not asked any more');
    const { username, password, tls } = this.#cluster;
    const client = new Redis({
      host,
      port,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls ? { tls: tlsTo({ host, port }, this.#cluster) } : {}),
      connectTimeout: lookupTimeoutMs,
      disconnectTimeout: 0,
      retryStrategy: () => null,
      enableReadyCheck: false,
      disableClientInfo: true,
      replyMapping: 'legacy',
    });
    let trouble: Error | undefined;
    client.on('error', (error) => (trouble ??= error));
    const end = () => client.disconnect();
    signal.addEventListener('abort', end);
    try {
      await client.exists(this.#key);
      return undefined;
    } catch (error) {
      const [, word, movedTo = '', movedPort] = /^(MOVED|ASK) \d+ (.*):(\d+)$/.exec(messageOf(error)) ?? [];
      // While a slot is moved away key by key, it is still this node's.
      if (word === 'ASK') return undefined;
      if (word === undefined) throw trouble ?? error;
      // Who does not know its own name is to be found where we asked.
      return { host: movedTo || host, port: Number(movedPort) };
    } finally {
      signal.removeEventListener('abort', end);
      end();
    }
  }
}

/**
 * Nodes often tell their IP addresses, while their certificates bear the name of the cluster: of a node that is an address,
 * a certificate for a name that the URL lists will do.
 */
function tlsTo({ host }: Place, { nodes }: ClusterUrl): ConnectionOptions {
  const listed = nodes.map((node) => node.host).filter((name) => !isIP(name));
  const names = isIP(host) ? [host, ...listed] : [host];
  const servername = names.find((name) => !isIP(name));
  return {
    ...(servername === undefined ? {} : { servername }),
    checkServerIdentity: (_, certificate) => {
      const verdicts = names.map((name) => checkServerIdentity(name, certificate));
      return verdicts.includes(undefined) ? undefined : verdicts[0];
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error
    ? error.message || ((error as NodeJS.ErrnoException).code ?? error.name)
    : String(error);
}
