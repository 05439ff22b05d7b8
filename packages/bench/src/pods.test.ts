import { expect, test } from '@jest/globals';
import { stageOrder, stages } from '@bunri/queue-contracts';
import { imageSettings, nodeOptionsOf, readPods } from './pods.ts';

test('the bench starts the worker processes of the two-node placement, as the chart does', async () => {
  const pods = await readPods();
  for (const stage of stageOrder) {
    const { replicas, env } = pods.get(`${stage}-worker`) ?? {};
    expect([stage, replicas]).toEqual([stage, stages[stage].replicas]);
    expect(env).toMatchObject({ CONCURRENCY: String(stages[stage].concurrency), NODE_ENV: 'production' });
    expect(env?.['NODE_OPTIONS']).toContain('--max-old-space-size=');
  }
});

test('the settings of an image are those of its last stage', () => {
  const file = 'FROM a\nENV CI=true\nFROM b\nENV NODE_ENV=production \\\n    OPTIONS="--one --two"\nENV X=1\n';
  expect(imageSettings(file)).toEqual({ NODE_ENV: 'production', OPTIONS: '--one --two', X: '1' });
});

test('a template that only helm understands is an error and no guess', () => {
  const template = (value: string) => `  - name: NODE_OPTIONS\n    value: ${value}\n`;
  expect(nodeOptionsOf(template('--heap={{ include "bunri.heapMb" . }} --x'))(320)).toBe('--heap=320 --x');
  expect(() => nodeOptionsOf(template('{{ .Values.options }}'))(320)).toThrow('cannot read');
  expect(() => nodeOptionsOf('')).toThrow('no NODE_OPTIONS');
});
