import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMemoryCgroup, type MemoryCgroup } from '../memory-cgroup.ts';
import { distinctPhotos, drawCameraPhoto } from '../distinct-photos.ts';
import { startNormaliseProcess, type NormaliseProcess } from '../normalise-process.ts';
import { drawPicture, pictureFormats, type PictureFormat } from '../pictures.ts';
import { withPreprocessAlone } from '../preprocess-alone.ts';
import { cpuSecondsOf, peakRssOf } from '../process-usage.ts';
import { alone, compare, sideBySide, type BenchOptions, type Figure, type Pair, type Scenario } from '../scenario.ts';
import { stopAll } from '../stops.ts';
import { makeTemporaryFolder } from '../temporary-folder.ts';

const mib = 2 ** 20;
const sizes = [1, 4, 12, 48] as const;
const formatNames: Record<PictureFormat, string> = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP' };
const memoryLimitBytes = 512 * mib;
/** As many as the worker runs at once. */
const atOnce = 8;
/** For the CPU of the whole worker. */
const photosARound = 100;

/** From the file to the normalised picture, and what the worker that does it takes of its pod. */
export const normalise: Scenario = {
  name: 'normalise',
  summary: 'pictures of 1 to 48 megapixels made small and clean, beside bare sharp',
  async run(options) {
    const { path: dir, remove } = makeTemporaryFolder();
    const sharpAlone = await startNormaliseProcess(options.path);
    try {
      const speed = await measureSpeed(options, sharpAlone, dir);
      const cpu = await measureCpu(options, sharpAlone, dir);
      const memory = await measureMemory(options);
      return {
        figures: [...speed, cpu, memory.figure],
        notes: [
          `one picture at a time, the sides in turn, one thread a picture, ${sharpAlone.pinned ? 'on one core' : 'not bound to a core, since there is no taskset'}. bunri's side checks type and limits, waits for memory and hashes the file and the result; bare sharp decodes, turns upright, makes small and encodes with the same settings.`,
          `CPU: the whole worker with its queue and its bucket, for photos of 1 megapixel that all differ (read, hashes, normalise, store, transitions, log), beside what sharp alone takes for one.`,
          memory.note,
        ],
      };
    } finally {
      await stopAll([remove, async () => await sharpAlone.stop()]);
    }
  },
};

async function measureSpeed(
  { rounds, count: megapixelsARound = 24, say }: BenchOptions,
  sharpAlone: NormaliseProcess,
  dir: string,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const format of pictureFormats) {
    for (const megapixels of sizes) {
      say(`${formatNames[format]}, ${megapixels} MP`);
      const path = join(dir, `${megapixels}.${format}`);
      await writeFile(path, await drawPicture({ megapixels, format, seed: 1 }));
      // An even number: each side begins as often as the other.
      const count = 2 * Math.max(1, Math.round(megapixelsARound / megapixels / 2));
      const measure = async (): Promise<Pair<number>> => {
        const { bare, bunri } = await sharpAlone.run({ sides: ['bare', 'bunri'], path, count });
        return { baseline: count / bare.seconds, bunri: count / bunri.seconds };
      };
      await measure();
      const pairs: Pair<number>[] = [];
      for (let round = 0; round < rounds; round += 1) pairs.push(await measure());
      const name = `${formatNames[format]}, ${megapixels} MP: images a second on one core`;
      figures.push(compare(name, pairs, (value) => value, { atLeast: 0.9 }));
    }
  }
  return figures;
}

async function measureCpu(
  { rounds, redisBinary, say }: BenchOptions,
  sharpAlone: NormaliseProcess,
  dir: string,
): Promise<Figure> {
  say('CPU of the worker');
  const photo = await drawCameraPhoto();
  const path = join(dir, 'photo.jpeg');
  await writeFile(path, photo);
  const distinct = distinctPhotos(photo);
  let number = 0;
  return await withPreprocessAlone({ redisBinary, procsFile: undefined }, async ({ pid, run }) => {
    const pairs = await sideBySide(rounds, {
      baseline: async () => {
        const { bare } = await sharpAlone.run({ sides: ['bare'], path, count: photosARound });
        return (bare.cpuSeconds * 1000) / photosARound;
      },
      bunri: async () => {
        const files = Array.from({ length: photosARound }, () => distinct(number++));
        const before = await cpuSecondsOf(pid);
        await run(files);
        return (((await cpuSecondsOf(pid)) - before) * 1000) / photosARound;
      },
    });
    return compare('JPEG, 1 MP: CPU ms of the whole worker', pairs, (value) => value);
  });
}

/** The peak of a worker that gets eight pictures of 12 megapixels at once, thrice: once in each format. */
async function measureMemory({ redisBinary, say }: BenchOptions): Promise<{ figure: Figure; note: string }> {
  say(`memory of ${atOnce} pictures of 12 MP at once`);
  const cgroup = await createMemoryCgroup(memoryLimitBytes);
  try {
    const peakBytes = await measurePeak(redisBinary, cgroup);
    const kills = cgroup ? await cgroup.kills() : 0;
    return {
      // What is resident without a group is another quantity than what is charged to one: the bound is about the latter.
      figure: alone(
        `${atOnce} at once of 12 MP: peak memory of the worker, MiB`,
        [peakBytes / mib],
        cgroup ? { atMost: memoryLimitBytes / mib - 1 } : undefined,
      ),
      note: cgroup
        ? `memory: the peak that the kernel charged to a control group of ${memoryLimitBytes / mib} MiB with the whole worker in it, its pod's settings set, ${atOnce} JPEG, then PNG, then WebP at once; ${kills} processes were killed at the limit.`
        : `memory: the peak resident set of the whole worker with its pod's settings, ${atOnce} JPEG, then PNG, then WebP at once; no control group could be made here, so nothing limited it and there is no bound.`,
    };
  } finally {
    await cgroup?.remove();
  }
}

async function measurePeak(redisBinary: string | undefined, cgroup: MemoryCgroup | null): Promise<number> {
  try {
    return await withPreprocessAlone({ redisBinary, procsFile: cgroup?.procsFile }, async ({ pid, run }) => {
      for (const format of pictureFormats) await run(await twelveMegapixels(format));
      return cgroup ? await cgroup.peakBytes() : await peakRssOf(pid);
    });
  } catch (error) {
    // A worker that the kernel killed at the limit has given the figure all the same.
    if (cgroup && (await cgroup.kills()) > 0) return memoryLimitBytes;
    throw error;
  }
}

async function twelveMegapixels(format: PictureFormat): Promise<Uint8Array[]> {
  const files: Uint8Array[] = [];
  for (let seed = 1; seed <= atOnce; seed += 1) files.push(await drawPicture({ megapixels: 12, format, seed }));
  return files;
}
