const looks = 8;

/**
 * Calls back once this process has run for `ms`, unless it is stopped before, and keeps no process alive. Counted in eight
 * looks: a process that stood still comes to its timers before its sockets, and has heard nothing of what was answered
 * meanwhile; so a standstill is one look, however long it was.
 *
 * @returns a function that stops it.
 */
export function afterRunning(ms: number, then: () => void): () => void {
  let left = looks;
  let last: NodeJS.Immediate | undefined;
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return;
    clearInterval(timer);
    // What has come by then is heard first.
    last = setImmediate(then);
  }, ms / looks);
  timer.unref();
  return () => {
    clearInterval(timer);
    clearImmediate(last);
  };
}
