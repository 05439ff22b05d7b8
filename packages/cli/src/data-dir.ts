import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimPidFile } from './pid-file.ts';
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
  if ((await claimPidFile(lock)) === null) return { dir: kept, release: async () => await rm(lock, { force: true }) };
  print.note('another demo is running: this one keeps nothing');
  const dir = await mkdtemp(join(tmpdir(), 'bunri-demo-'));
  return { dir, release: async () => await rm(dir, { recursive: true, force: true }) };
}
