import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { folderBytes } from './folder-size.ts';

test('the size of a folder is that of all files in it, at any depth', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bunri-folder-'));
  try {
    await mkdir(join(folder, 'a', 'b'), { recursive: true });
    await writeFile(join(folder, 'one'), 'x'.repeat(10));
    await writeFile(join(folder, 'a', 'b', 'two'), 'x'.repeat(300));
    expect(await folderBytes(folder)).toBe(310);
  } finally {
    await rm(folder, { recursive: true });
  }
});
