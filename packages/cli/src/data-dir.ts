import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Printer } from './print.ts';

/** Beside the installed packages: it outlives a demo, and goes with `node_modules`. */
const kept = fileURLToPath(new URL('../../../node_modules/.cache/bunri-demo', import.meta.url));

/**
 * A folder for the data of the embedded servers. It is kept from demo to demo, so that a photo seen before is answered from
 * the cache; while another demo holds it, this one gets a temporary folder that is removed with `release`.
 */
export async function claimDataDir(print: Printer): Promise<{ dir: string; release: () => Promise<void> }> {
  const lock = `${kept}.lock`;
  await mkdir(join(kept, '..'), { recursive: true });
  if (await claim(lock)) return { dir: kept, release: async () => await rm(lock, { force: true }) };
  print.note('another demo is running: this one keeps nothing');
  const dir = await mkdtemp(join(tmpdir(), 'bunri-demo-'));
  return { dir, release: async () => await rm(dir, { recursive: true, force: true }) };
}

async function claim(lock: string): Promise<boolean> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(lock, String(process.pid), { flag: 'wx' });
      return true;
    } catch {
      if (isAlive(Number(await readFile(lock, 'utf8').catch(() => '')))) return false;
      // Its holder was killed: the lock is nobody's.
      await rm(lock, { force: true });
    }
  }
  return false;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
