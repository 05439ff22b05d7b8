import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';

/** Reads until whoever holds the other end of its input is gone. */
const watch = (pid: number) => `read -r _; kill -KILL ${pid}`;

/**
 * Kills a child when this process ends, even where it is killed itself and can do nothing any more: a shell in a session
 * of its own, which no Ctrl-C reaches, waits for the end of a pipe from here. It goes with the child.
 */
export function killWithParent(child: ChildProcess): void {
  const { pid } = child;
  // One that could not be started.
  if (pid === undefined) return;
  const watcher = spawn('/bin/sh', ['-c', watch(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: {},
  });
  watcher.unref();
  if (watcher.stdin instanceof Socket) watcher.stdin.unref();
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => {
    process.off('exit', kill);
    // Before another process may have got the number.
    watcher.kill('SIGKILL');
  });
}
