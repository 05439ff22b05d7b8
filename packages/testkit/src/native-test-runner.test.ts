import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const globals = `import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';`;

/** Files that run one after the other in one process, by name. */
const files = {
  'package.json': '{ "type": "module" }',
  'shared.ts': `export {}; (globalThis as any).loads = ((globalThis as any).loads ?? 0) + 1;`,
  'helper.ts': `${globals} export const addTest = (name: string) => test(name, () => expect(name).toBe('of b'));`,
  'a.test.ts': `${globals} import './shared.ts'; import './helper.ts';
    afterEach(() => { (globalThis as any).hooks = ((globalThis as any).hooks ?? 0) + 1; });
    test('leaves mocks and fake timers', () => {
      jest.spyOn(Math, 'random').mockReturnValue(7);
      expect(Math.random()).toBe(7);
      expect(jest.fn().mockResolvedValue(1)()).toBeInstanceOf(Promise);
      jest.useFakeTimers();
      const fired = jest.fn();
      setTimeout(fired, 60_000);
      jest.advanceTimersByTime(60_000);
      expect(fired).toHaveBeenCalled();
    });`,
  'b.test.ts': `${globals} import './shared.ts'; import { addTest } from './helper.ts';
    addTest('of b');
    test('modules are shared, mocks, timers and hooks are not', async () => {
      expect((globalThis as any).loads).toBe(1);
      expect((globalThis as any).hooks).toBe(1);
      expect(Math.random()).toBeLessThan(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    });
    test('values are of one realm', () => {
      expect({ a: 'b', at: new Date(0) }).toEqual({ a: expect.any(String), at: expect.any(Date) });
      expect(() => JSON.parse('{')).toThrow(SyntaxError);
    });`,
  'c.test.ts': `${globals}
    test('fails: an assertion that was announced never came', () => { expect.assertions(1); });
    test('fails: it never ends', () => new Promise(() => {}), 50);
    test('fails: nobody looks at the rejection', async () => {
      void Promise.reject(new Error('unseen'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    test('fails: nobody catches the error', async () => {
      setImmediate(() => { throw new Error('uncaught'); });
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
    test('fails: modules cannot be mocked', () => { jest.unstable_mockModule('./shared.ts', () => ({})); });
    test('fails: time-outs are arguments', () => { jest.setTimeout(1); });
    test('fails: the process ends', () => { process.exit(0); });`,
  'd.test.ts': `import './missing.ts';`,
  'e.test.ts': `${globals} beforeAll(() => { throw new Error('no'); }); test('fails: it was not prepared', () => {});`,
  'f.test.ts': `${globals} afterAll(() => { throw new Error('no end'); }); test('ends badly', () => {});`,
  'g.test.ts': `export {};`,
  'h.test.ts': `${globals} test('is passed over', () => {}); test.only('is the only one', () => {});`,
  'i.test.ts': `${globals} test('the end is caught', () => { try { process.exit(3); } catch {} });`,
  'sequencer.mjs': `export default class {
    sort(tests) { return tests.toSorted((one, other) => one.path.localeCompare(other.path)); }
    cacheResults() {}
  }`,
};

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bunri-native-'));
  for (const [name, source] of Object.entries(files)) await writeFile(join(dir, name), source);
});
afterAll(() => rm(dir, { recursive: true }));

async function runJest(...args: string[]): Promise<{ code: number | null; output: string }> {
  const config = JSON.stringify({
    rootDir: dir,
    testMatch: ['<rootDir>/*.test.ts'],
    testEnvironment: here('native-environment.mjs'),
    testRunner: here('native-test-runner.mjs'),
    testSequencer: '<rootDir>/sequencer.mjs',
    reporters: ['default', here('summary-reporter.mjs')],
    transform: {},
    watchman: false,
    cache: false,
  });
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const child = spawn(process.execPath, ['--no-warnings', jest, '--runInBand', '--config', config, ...args], {
    cwd: dir,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

test('files share the modules that Node imports, but no tests, hooks, mocks and timers; what fails is told', async () => {
  const { code, output } = await runJest();
  expect(output).toContain('PASS ./a.test.ts');
  expect(output).toContain('PASS ./b.test.ts');
  expect(new Set(output.match(/● fails: [^\n]+/g)).size).toBe(8);
  expect(output).toContain('Exceeded timeout of 50 ms');
  expect(output).toContain('unseen');
  expect(output).toContain('jest.unstable_mockModule has no effect');
  expect(output).toContain('jest.setTimeout has no effect');
  expect(output).toContain('process.exit(0)');
  expect(output).toContain('process.exit(3)');
  expect(output).toContain('missing.ts');
  expect(output).toContain('no end');
  expect(output).toContain('must contain at least one test');
  expect(output).toContain('6 passed, 12 failed, 1 skipped');
  expect(code).toBe(1);
});

test('coverage that jest cannot see is refused', async () => {
  const { code, output } = await runJest('--coverage', '--testPathPatterns', 'a.test');
  expect(code).toBe(1);
  expect(output).toContain('set NODE_V8_COVERAGE');
});
