import { readFileSync } from 'node:fs';
import * as z from 'zod';

const fileTableSchema = z.object({
  files: z.array(z.object({ filename: z.string(), start: z.int(), end: z.int() })),
});

/**
 * One file out of a package of Emscripten's file packager, found by the table that stands in the loader beside it.
 *
 * @throws Error when the loader has no table, or the table no file of that name.
 */
export function readPackedFile(loaderPath: string, dataPath: string, name: string): Uint8Array {
  const table = /loadPackage\((\{"files".*?\})\);/.exec(readFileSync(loaderPath, 'utf8'))?.[1];
  if (table === undefined) throw new Error(`${loaderPath} has no table of files`);
  const { files } = fileTableSchema.parse(JSON.parse(table));
  const entry = files.find(({ filename }) => filename.endsWith(`/${name}`));
  if (!entry) throw new Error(`${dataPath} has no file ${name}`);
  return readFileSync(dataPath).subarray(entry.start, entry.end);
}
