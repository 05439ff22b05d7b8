// One run and one summary for the whole workspace. Node strips the sources of their types; nothing is built first.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const folders = ['packages', 'apps'].flatMap((parent) =>
  readdirSync(new URL(parent, import.meta.url))
    .map((name) => `${parent}/${name}`)
    .filter((folder) => existsSync(new URL(`${folder}/package.json`, import.meta.url))),
);

const testkit = (name) => fileURLToPath(new URL(`packages/testkit/src/${name}`, import.meta.url));

/**
 * Tests that start whole systems, and have bounds on what their users wait for: one after the other, when all others are
 * over, so that nobody else's load counts.
 */
const ofSystems = [
  'packages/cli/src/built-in.test.ts',
  'packages/cli/src/incidents.test.ts',
  'packages/cli/src/system.test.ts',
  'packages/faults/src/faults.test.ts',
  'packages/observability/src/live.test.ts',
];

for (const file of ofSystems) if (!existsSync(new URL(file, import.meta.url))) throw new Error(`${file} is not there`);

/** The tests of a folder: a project, and another of the same name for those of systems. */
function projectsOf(folder) {
  const own = ofSystems.filter((file) => file.startsWith(`${folder}/`)).map((file) => file.slice(folder.length));
  const project = {
    displayName: folder,
    rootDir: `<rootDir>/${folder}`,
    testEnvironment: testkit('native-environment.mjs'),
    testRunner: testkit('native-test-runner.mjs'),
    testMatch: ['<rootDir>/src/**/*.test.ts'],
    transform: {},
    clearMocks: true,
    // It would be the process's own, which connections of earlier tests use too.
    fakeTimers: { doNotFake: ['nextTick'] },
  };
  if (own.length === 0) return [project];
  // Jest runs the tests of one runner after those of another.
  return [
    { ...project, testPathIgnorePatterns: ['/node_modules/', ...own.map((file) => `<rootDir>${file}$`)] },
    { ...project, testMatch: own.map((file) => `<rootDir>${file}`), runner: testkit('serial-runner.mjs') },
  ];
}

export default {
  // Jest's own choice would be one on a machine of two cores, while most tests wait for processes of their own.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Only what hangs takes so long. A slow and busy machine fails no test; a wait ends sooner, and tells what hung.
  testTimeout: 900_000,
  // Modules that were imported are never given back: a worker that has grown so large ends, and another goes on.
  workerIdleMemoryLimit: '1200MB',
  projects: folders.flatMap(projectsOf),
  reporters: ['default', '<rootDir>/packages/testkit/src/summary-reporter.mjs'],
};
