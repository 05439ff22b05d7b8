import { Command, Redis } from 'ioredis';
import { createCommandTimeouts } from './command-timeouts.ts';

/**
 * Writes the commands of one turn of the event loop together. Under load the replies to many jobs come in one read, so that
 * their next commands leave in one write, instead of a system call each, here and in Redis.
 */
export class BatchingRedis extends Redis {
  #timeouts: ReturnType<typeof createCommandTimeouts> | undefined;

  override sendCommand(...sent: Parameters<Redis['sendCommand']>): unknown {
    const { stream, options } = this;
    const [command] = sent;
    if (options.commandTimeout !== undefined && command instanceof Command) {
      command.setTimeout = () => undefined;
      this.#timeouts ??= createCommandTimeouts(options.commandTimeout);
      this.#timeouts.add(command);
    }
    if (stream && stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    return super.sendCommand(...sent);
  }
}
