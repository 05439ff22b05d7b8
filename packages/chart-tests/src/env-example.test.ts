import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { importTimeoutMs } from './apps.ts';
import { envExample } from './env-example.ts';

const file = new URL('../../../.env.example', import.meta.url);

test(
  '.env.example names every setting of every app; UPDATE_ENV_EXAMPLE=1 writes it',
  async () => {
    const expected = await envExample();
    if (process.env['UPDATE_ENV_EXAMPLE'] === '1') await writeFile(file, expected);
    expect(await readFile(file, 'utf8')).toBe(expected);
  },
  importTimeoutMs,
);
