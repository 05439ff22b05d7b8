import { Redis } from 'ioredis';

/**
 * Writes the commands of one turn of the event loop together. Under load the replies to many jobs come in one read, so that
 * their next commands leave in one write, instead of a system call each, here and in Redis.
 */
export class BatchingRedis extends Redis {
  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const { stream } = this;
    if (stream && stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    return super.sendCommand(...args);
  }
}
