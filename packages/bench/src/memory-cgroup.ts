import { readFileSync, rmdirSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A control group of Linux that limits memory, as a pod's. */
export interface MemoryCgroup {
  /** A process that writes its id there belongs to the group. */
  readonly procsFile: string;
  /** The most memory that was charged to the group at once, bytes: of processes, of the kernel for them, and of files. */
  peakBytes(): Promise<number>;
  /** How many processes the kernel killed because the limit was reached. */
  kills(): Promise<number>;
  /** After its processes have ended. Where this process exits before, they are killed and the group is removed. */
  remove(): Promise<void>;
}

/** A process that has ended leaves its group a moment later. */
const attempts = 50;
const pauseMs = 20;

interface Version {
  /** Of this process's own group. */
  readonly group: (memberships: string) => string | undefined;
  readonly limit: string;
  readonly swap: { readonly file: string; readonly value: string };
  readonly peak: string;
  readonly events: string;
}

/** Linux, Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst. */
const versions: readonly Version[] = [
  {
    group: (memberships) => below('/sys/fs/cgroup/memory', /^\d+:memory:(.+)$/m.exec(memberships)),
    limit: 'memory.limit_in_bytes',
    swap: { file: 'memory.swappiness', value: '0' },
    peak: 'memory.max_usage_in_bytes',
    events: 'memory.oom_control',
  },
  {
    group: (memberships) => below('/sys/fs/cgroup', /^0::(.+)$/m.exec(memberships)),
    limit: 'memory.max',
    swap: { file: 'memory.swap.max', value: '0' },
    peak: 'memory.peak',
    events: 'memory.events',
  },
];

function below(mount: string, found: RegExpExecArray | null): string | undefined {
  return found?.[1] === undefined ? undefined : join(mount, found[1]);
}

/** Makes a group below that of this process; null where that is not allowed, or the machine has none. */
export async function createMemoryCgroup(limitBytes: number): Promise<MemoryCgroup | null> {
  const memberships = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  for (const version of versions) {
    const parent = version.group(memberships);
    const group = parent && (await make(version, join(parent, `bunri-bench-${process.pid}`), limitBytes));
    if (group) return group;
  }
  return null;
}

async function make(version: Version, path: string, limitBytes: number): Promise<MemoryCgroup | null> {
  const file = (name: string) => join(path, name);
  try {
    await mkdir(path);
  } catch {
    // Not ours to make: not root, read-only, or not there.
    return null;
  }
  try {
    await writeFile(file(version.limit), String(limitBytes));
    await writeFile(file(version.swap.file), version.swap.value);
    await readFile(file(version.peak));
  } catch {
    // A group without a memory controller, or of a kernel that does not tell the peak.
    await rmdir(path);
    return null;
  }
  const procsFile = file('cgroup.procs');
  const removeAtExit = () => removeAtOnce(path, procsFile);
  process.once('exit', removeAtExit);
  return {
    procsFile,
    peakBytes: async () => Number(await readFile(file(version.peak), 'utf8')),
    kills: async () => parseKills(await readFile(file(version.events), 'utf8')),
    async remove() {
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        if (
          await rmdir(path).then(
            () => true,
            () => false,
          )
        ) {
          process.off('exit', removeAtExit);
          return;
        }
        await delay(pauseMs);
      }
      throw new Error(`${path} could not be removed`);
    },
  };
}

/** For a process that exits: ends who is in the group, and waits for it without an event loop. */
function removeAtOnce(path: string, procsFile: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    try {
      const pids = readFileSync(procsFile, 'utf8').split('\n').map(Number);
      // 0 is a process that cannot be named from here, and to `kill` this process's own group.
      for (const pid of pids.filter((of) => of > 0)) process.kill(pid, 'SIGKILL');
      rmdirSync(path);
      return;
    } catch {
      // Somebody is in it still, or has just left.
      Atomics.wait(clock, 0, 0, pauseMs);
    }
  }
  process.stderr.write(`${path} could not be removed\n`);
}

/** @throws when the file does not tell. */
export function parseKills(events: string): number {
  const [, kills] = /^oom_kill (\d+)$/m.exec(events) ?? [];
  if (kills === undefined) throw new Error('the kernel does not tell how many processes it killed');
  return Number(kills);
}
