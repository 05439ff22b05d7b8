import type { Command } from 'ioredis';

const lookEveryMs = 500;

/**
 * Rejects commands that are not answered in time, up to half a second late. Time in which the process stood still does not
 * count: it has sent and heard nothing, and comes to its timers before its sockets, so that a timer of each command would
 * take all of them for lost. One timer for all of a connection is also the cheaper one.
 */
export function createCommandTimeouts(timeoutMs: number): { add(command: Command): void } {
  let stoodStillMs = 0;
  let nextLookAt = Infinity;
  // A look that is late tells that the process stood still: until it comes, that time does not count either.
  const awakeMs = () => Math.min(performance.now(), nextLookAt) - stoodStillMs;
  let sent: { readonly command: Command; readonly at: number }[] = [];

  function look(): void {
    stoodStillMs += Math.max(0, performance.now() - nextLookAt);
    nextLookAt = Infinity;
    const late = awakeMs() - timeoutMs;
    sent = sent.filter(({ command, at }) => {
      if (command.isSettled) return false;
      if (at > late) return true;
      command.reject(new Error('Command timed out'));
      return false;
    });
    if (sent.length > 0) lookLater();
  }

  function lookLater(): void {
    nextLookAt = performance.now() + lookEveryMs;
    // A process that has nothing else to do ends: the sockets of commands under way keep it.
    setTimeout(look, lookEveryMs).unref();
  }

  return {
    add(command) {
      if (sent.push({ command, at: awakeMs() }) === 1) lookLater();
    },
  };
}
