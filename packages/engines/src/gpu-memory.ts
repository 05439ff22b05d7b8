import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger, Metrics } from '@bunri/runtime';

/** Runs nvidia-smi with these arguments and gives what it prints. Rejects with the code `ENOENT` where it is not installed. */
export type AskGpu = (args: readonly string[]) => Promise<string>;

const query = ['--query-gpu=memory.used,memory.total', '--format=csv,noheader,nounits'];
const mebibyte = 1024 * 1024;

async function askNvidiaSmi(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('nvidia-smi', [...args], { timeout: 5_000 });
  return stdout;
}

/**
 * Shows the memory of the GPUs as a metric, asked for now and every 15 s (`everyMs`). Where the program is absent there is no GPU to
 * show: it is not asked again, and the metric has no value. One that fails leaves no old value behind.
 *
 * @returns a function that ends the watch.
 */
export function watchGpuMemory(options: { metrics: Metrics; log: Logger; ask?: AskGpu; everyMs?: number }): () => void {
  const { metrics, log, ask = askNvidiaSmi, everyMs = 15_000 } = options;
  let pending = false;
  let trouble = '';

  async function show(): Promise<void> {
    // A driver in trouble may let the program hang: never two at once.
    if (pending) return;
    pending = true;
    try {
      const gpus = parseGpuMemory(await ask(query));
      metrics.gpuMemory.reset();
      for (const [gpu, { usedBytes, totalBytes }] of gpus.entries()) {
        metrics.gpuMemory.set({ gpu, kind: 'used' }, usedBytes);
        metrics.gpuMemory.set({ gpu, kind: 'total' }, totalBytes);
      }
      trouble = '';
    } catch (error) {
      metrics.gpuMemory.reset();
      if (isAbsent(error)) clearInterval(timer);
      else if (String(error) !== trouble) log.warn('the memory of the GPU is unknown', { error });
      trouble = String(error);
    } finally {
      pending = false;
    }
  }

  const timer = setInterval(() => void show(), everyMs);
  timer.unref();
  void show();
  return () => clearInterval(timer);
}

/** One line a GPU, used and total in MiB: `1024, 16384`. @throws Error for anything else. */
export function parseGpuMemory(text: string): { usedBytes: number; totalBytes: number }[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, used, total] = /^\s*(\d+)\s*,\s*(\d+)\s*$/.exec(line) ?? [];
      if (used === undefined || total === undefined) throw new Error(`nvidia-smi says ${JSON.stringify(line)}`);
      return { usedBytes: Number(used) * mebibyte, totalBytes: Number(total) * mebibyte };
    });
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
