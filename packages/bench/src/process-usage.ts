import { readFile } from 'node:fs/promises';

/** What Linux's `/proc` tells about a process (proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5)). */

/** Linux counts the time of processes in these, whatever the kernel's own clock is. */
const ticksPerSecond = 100;

/** CPU seconds that the process has used so far, in user and system mode, all threads. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  return parseCpuSeconds(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** The most memory that was resident at once since the process began, bytes. */
export async function peakRssOf(pid: number): Promise<number> {
  return parseKilobytes(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmHWM');
}

/** Memory that is resident now, bytes. */
export async function rssOf(pid: number): Promise<number> {
  return parseKilobytes(await readFile(`/proc/${pid}/status`, 'utf8'), 'VmRSS');
}

/** Resident memory, of pages that others have too only a share, bytes. */
export async function pssOf(pid: number): Promise<number> {
  return parseKilobytes(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
}

/** @throws when it is not what `stat` looks like. */
export function parseCpuSeconds(stat: string): number {
  // The second field, the name, may hold anything, blanks and brackets too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [fields[11], fields[12]].map(Number);
  if (user === undefined || system === undefined || Number.isNaN(user + system)) throw new Error('no times in stat');
  return (user + system) / ticksPerSecond;
}

/** @throws when the text has no such line. */
export function parseKilobytes(text: string, name: string): number {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? [];
  if (kilobytes === undefined) throw new Error(`${name} is not told`);
  return Number(kilobytes) * 1024;
}
