import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { makeTemporaryFolder } from './temporary-folder.ts';

test('a folder is removed with what is in it, and nothing of it is left to do', () => {
  const listeners = process.listenerCount('exit');
  const folder = makeTemporaryFolder();
  expect(process.listenerCount('exit')).toBe(listeners + 1);
  writeFileSync(join(folder.path, 'a'), '');
  folder.remove();
  expect(existsSync(folder.path)).toBe(false);
  expect(process.listenerCount('exit')).toBe(listeners);
});
