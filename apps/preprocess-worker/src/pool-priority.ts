import { readdir, readFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@bunri/runtime';

const tasks = '/proc/self/task';
/** As libuv names the threads of its pool. */
const poolThread = 'libuv-worker';
/** A thread names itself when it first runs. */
const looks = { most: 40, everyMs: 5 };

/**
 * Lets the threads that work on pixels step back behind the event loop of this process, and behind whoever else shares the
 * cores: probes are answered and locks renewed however many pictures wait. To be called before the first picture, since the
 * threads that libvips starts take over the priority of those that ask it. Does nothing where threads have no files of
 * their own, as on macOS.
 */
export async function lowerPoolPriority(log: Pick<Logger, 'warn'>, poolSize: number): Promise<void> {
  try {
    for (const thread of await poolThreads(poolSize))
      setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL);
  } catch (error) {
    // Some sandboxes forbid it. Pictures are made all the same.
    log.warn('pixel work keeps the priority of the event loop', { error });
  }
}

async function poolThreads(size: number): Promise<string[]> {
  for (let look = 1; ; look += 1) {
    // To read anything is work for the pool, and the first work starts its threads.
    const threads = await readdir(tasks).catch(() => []);
    const names = await Promise.all(threads.map(async (thread) => await nameOf(thread)));
    const found = threads.filter((_, i) => names[i] === poolThread);
    if (threads.length === 0 || found.length >= size || look === looks.most) return found;
    await delay(looks.everyMs);
  }
}

/** Empty of a thread that has just ended. */
async function nameOf(thread: string): Promise<string> {
  const name = await readFile(`${tasks}/${thread}/comm`, 'utf8').catch(() => '');
  return name.trimEnd();
}
