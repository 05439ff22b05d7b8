import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { findPrometheus, runProgram } from '@bunri/testkit';
import { runbookAddress } from './alert.ts';
import { ruleTestFiles } from './alert-tests.ts';
import { alertGroups } from './alerts.ts';
import { sectionsOf } from './runbook.ts';

const helm = new URL('../../../helm/', import.meta.url);
const ruleFiles = alertGroups.map(({ name }) => fileURLToPath(new URL(`bunri/files/alerts/${name}.yaml`, helm)));
const alerts = alertGroups.flatMap((group) => group.alerts);
const programs = await findPrometheus(process.env, (why) => process.stderr.write(`alerts are not tested: ${why}\n`));
const withPromtool = programs ? describe : describe.skip;

async function promtool(...args: string[]): Promise<{ code: number | null; output: string }> {
  return await runProgram(programs?.promtool ?? '', args);
}

withPromtool('the rules', () => {
  test('have nothing that promtool complains about', async () => {
    const { code, output } = await promtool('check', 'rules', '--lint=all', '--lint-fatal', ...ruleFiles);
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).not.toContain('FAILED');
  });

  test("are read by compose's Prometheus, whose settings promtool accepts", async () => {
    const config = fileURLToPath(new URL('../docker/prometheus.yml', helm));
    expect(await promtool('check', 'config', config)).toMatchObject({ code: 0 });
  });

  test('every alert is silent just before its time, fires after it, and is silent under a normal load', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bunri-alerts-'));
    try {
      const files = ruleTestFiles(alertGroups, ruleFiles);
      for (const [name, content] of files) await writeFile(join(folder, name), stringify(content));
      const tests = [...files.keys()].filter((name) => name.endsWith('.test.yaml'));
      expect(tests.length).toBeGreaterThan(alerts.length);
      const { code, output } = await promtool('test', 'rules', ...tests.map((name) => join(folder, name)));
      expect({ code, output }).toMatchObject({ code: 0 });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test('no two alerts have the same name', () => {
  expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length);
});

test('every alert has a section in the runbook, and every section an alert', async () => {
  const { sections } = sectionsOf(await readFile(new URL('RUNBOOK.md', helm), 'utf8'));
  expect(sections.map(({ title }) => title).toSorted()).toEqual(alerts.map(({ name }) => name).toSorted());
  for (const alert of alerts) expect(runbookAddress(alert)).toBe(`RUNBOOK.md#${alert.name.toLowerCase()}`);
});

test('every section says what it means, where to look, why, what to do and how it ends', async () => {
  const { sections } = sectionsOf(await readFile(new URL('RUNBOOK.md', helm), 'utf8'));
  for (const { title, markdown } of sections) {
    const parts = Array.from(markdown.matchAll(/^\*\*(.+?)\.\*\*/gm), ([, name]) => name);
    expect([title, parts]).toEqual([
      title,
      ['What it means', 'Look first', 'Likely causes', 'What to do', 'It is over when'],
    ]);
  }
});

test('no text of the runbook names an alert that does not exist', async () => {
  const text = await readFile(new URL('RUNBOOK.md', helm), 'utf8');
  const named = new Set(text.match(/\bBunri[A-Z][A-Za-z]+\b/g));
  const names = new Set(alerts.map(({ name }) => name));
  expect([...named].filter((name) => !names.has(name))).toEqual([]);
});
