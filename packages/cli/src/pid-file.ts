import { readFile, rm, writeFile } from 'node:fs/promises';

/**
 * Claims a file for this process by writing its id into it; whoever claims it removes it in the end. That of a process that
 * is no more is taken over.
 *
 * @returns null, or the id of the process that holds it
 */
export async function claimPidFile(path: string): Promise<number | null> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = Number(await readFile(path, 'utf8').catch(() => ''));
      if (attempt > 0 || isAlive(holder)) return holder;
      // Its holder was killed: the file is nobody's.
      await rm(path, { force: true });
    }
  }
}

/** Whether another process of this id lives: in a new container this one may have the id of the killed one. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
