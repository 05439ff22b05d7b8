import { Command, type Redis, type RedisOptions } from 'ioredis';
import { connectorToSlot } from './cluster-connector.ts';
import { BatchingRedis } from './redis-batching.ts';
import type { ClusterUrl } from './redis-url.ts';

/** The node serves our slot no more, or does not know whether it does: whoever does has to be looked up. */
const elsewhere = new Set(['MOVED', 'CLUSTERDOWN', 'READONLY', 'UNBLOCKED']);
/** Our slot is being moved away key by key; the end of that comes as MOVED. */
const underway = new Set(['ASK', 'TRYAGAIN']);
const underwayMs = 100;

/**
 * A client of that one node of a Redis Cluster that serves the slot of `key`, wherever it goes. All our keys are in one slot,
 * so that this is a plain client in all else: scripts, transactions, Pub/Sub and INFO go where the keys are.
 */
export class SlotRedis extends BatchingRedis {
  readonly #cluster: ClusterUrl;
  /** There is none of this name, ever. */
  readonly #key: string;
  readonly #guarded = new WeakSet<Command>();
  /** The connection that was given up last. */
  #left: unknown;

  constructor(cluster: ClusterUrl, key: string, options: RedisOptions) {
    const { username, password, tls } = cluster;
    super({
      ...options,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      // The connector knows the rest.
      ...(tls ? { tls: {} } : {}),
      Connector: connectorToSlot(cluster, key),
      replyMapping: 'legacy',
    });
    this.#cluster = cluster;
    this.#key = key;
  }

  /** Asks the node for a key of the slot, which it refuses unless it serves it. */
  async servesSlot(): Promise<void> {
    // In this mode, which RESP3 does without, nothing may be asked for.
    if (this.mode === 'subscriber') await this.ping();
    else await this.exists(this.#key);
  }

  // BullMQ makes its blocking connections by it.
  override duplicate(override?: Partial<RedisOptions>): Redis {
    return new SlotRedis(this.#cluster, this.#key, { ...this.options, ...override });
  }

  /**
   * While a slot is moved key by key, a script breaks off half way where it comes upon a key that is not here, also one that it
   * did not name. With a key that nobody has, Redis refuses such a script before it begins.
   */
  override sendCommand(...sent: Parameters<Redis['sendCommand']>): unknown {
    const [command] = sent;
    if (command instanceof Command && /^eval(sha)?$/.test(command.name) && !this.#guarded.has(command)) {
      this.#guarded.add(command);
      const named = Number(command.args[1]);
      command.args.splice(2 + named, 0, this.#key);
      command.args[1] = String(named + 1);
    }
    return super.sendCommand(...sent);
  }

  /** Called by ioredis with each error that Redis replies. */
  override handleReconnection(...[error, item]: Parameters<Redis['handleReconnection']>): void {
    const [word = ''] = error.message.split(' ', 1);
    const moved = elsewhere.has(word);
    const { command } = item;
    if (!(moved || underway.has(word)) || !(command instanceof Command)) return super.handleReconnection(error, item);
    // Once, although many commands in flight come back with the same.
    if (moved && this.#left !== this.stream) {
      this.#left = this.stream;
      this.disconnect(true);
    }
    // What belongs to a transaction must not be done without it: its caller learns that nothing was done.
    const whole = command.inTransaction || command.name === 'exec';
    if (whole || !this.options.enableOfflineQueue) command.reject(error);
    // The connection being given up, it waits for the next one.
    else if (moved) this.sendCommand(command);
    else setTimeout(() => this.sendCommand(command), underwayMs);
  }
}
