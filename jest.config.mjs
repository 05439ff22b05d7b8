// One run and one summary for the whole workspace. Sources are transpiled in memory by SWC; nothing is built first.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const folders = ['packages', 'apps'].flatMap((parent) =>
  readdirSync(new URL(parent, import.meta.url))
    .map((name) => `${parent}/${name}`)
    .filter((folder) => existsSync(new URL(`${folder}/package.json`, import.meta.url))),
);

const swc = {
  jsc: { parser: { syntax: 'typescript' }, target: 'es2024', experimental: { keepImportAttributes: true } },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};

export default {
  // Jest's own choice would be one on a machine of two cores, while most tests wait for processes of their own.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // For a machine that has more to do; a test that hangs is found soon enough.
  testTimeout: 30_000,
  // Modules that were imported are never given back: a worker that has grown so large ends, and another goes on.
  workerIdleMemoryLimit: '1200MB',
  projects: folders.map((folder) => ({
    displayName: folder,
    rootDir: `<rootDir>/${folder}`,
    testEnvironment: 'node',
    testEnvironmentOptions: { customExportConditions: ['@bunri/source', 'node', 'node-addons'] },
    testMatch: ['<rootDir>/src/**/*.test.ts'],
    transform: { '^.+\\.ts$': ['@swc/jest', swc] },
    extensionsToTreatAsEsm: ['.ts'],
    clearMocks: true,
  })),
  coverageProvider: 'v8',
  collectCoverageFrom: ['{apps,packages}/*/src/**/*.ts'],
  reporters: ['default', '<rootDir>/packages/testkit/src/summary-reporter.mjs'],
};
