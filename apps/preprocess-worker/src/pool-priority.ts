import { readdir, readFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import type { Logger } from '@bunri/runtime';

const tasks = '/proc/self/task';
/** As libuv names the threads of its pool. */
const poolThread = 'libuv-worker';

/**
 * Lets the threads that work on pixels step back behind the event loop of this process, and behind whoever else shares the
 * cores: probes are answered and locks renewed however many pictures wait. To be called before the first picture, since the
 * threads that libvips starts take over the priority of those that ask it. Does nothing where threads have no files of
 * their own, as on macOS.
 */
export async function lowerPoolPriority(log: Pick<Logger, 'warn'>): Promise<void> {
  // To read anything is work for the pool, and the first work starts its threads.
  const threads = await readdir(tasks).catch(() => []);
  const names = await Promise.all(threads.map(async (thread) => await nameOf(thread)));
  try {
    for (const [i, thread] of threads.entries()) {
      if (names[i] === poolThread) setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL);
    }
  } catch (error) {
    // Some sandboxes forbid it. Pictures are made all the same.
    log.warn('pixel work keeps the priority of the event loop', { error });
  }
}

/** Empty of a thread that has just ended. */
async function nameOf(thread: string): Promise<string> {
  const name = await readFile(`${tasks}/${thread}/comm`, 'utf8').catch(() => '');
  return name.trimEnd();
}
