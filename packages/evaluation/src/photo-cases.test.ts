import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { Classification } from '@bunri/queue-contracts';
import { CaseFileError } from './cases.ts';
import { lookAtAll, photoCases } from './photo-cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'photo-cases-'));
afterAll(() => rmSync(folder, { recursive: true }));

for (const name of ['glass', 'carton', 'notes']) mkdirSync(join(folder, name));
for (let index = 0; index < 10; index += 1) writeFileSync(join(folder, 'glass', `${index}.jpg`), `glass ${index}`);
writeFileSync(join(folder, 'carton', 'a.PNG'), 'carton');
writeFileSync(join(folder, 'carton', 'readme.txt'), '');

test('a class is told by its folder or by classes.json, and of many photos some are taken evenly', () => {
  expect(() => photoCases(folder)).toThrow(CaseFileError);
  expect(() => photoCases(folder)).toThrow(/there is no bin or stream "carton"/);
  writeFileSync(join(folder, 'classes.json'), '{"carton":["paper-pack","general"]}');
  const cases = photoCases(folder, 3);
  expect(cases.map(({ expected }) => expected.id)).toEqual([
    'carton/a.PNG',
    'glass/0.jpg',
    'glass/4.jpg',
    'glass/7.jpg',
  ]);
  expect(cases[0]?.expected.expect.destinations).toHaveLength(2);
  expect(photoCases(folder)).toHaveLength(11);
});

test('what the engine sees stands in the cases, and its cost is summed up', async () => {
  const engine = {
    look: async (photo: Buffer) => {
      const classification = { item_name: photo.toString() } as unknown as Classification;
      return await Promise.resolve({ classification, usage: { input_tokens: 2, output_tokens: 1, cost_usd: 0.5 } });
    },
  };
  const options = { concurrency: 3, signal: new AbortController().signal };
  const { cases, usage } = await lookAtAll(photoCases(folder, 3), engine, options);
  expect(cases.map(({ classification }) => classification.item_name)).toEqual([
    'carton',
    'glass 0',
    'glass 4',
    'glass 7',
  ]);
  expect(usage).toEqual({ input_tokens: 8, output_tokens: 4, cost_usd: 2 });
});
