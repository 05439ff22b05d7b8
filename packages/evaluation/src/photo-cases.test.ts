import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { Classification } from '@bunri/queue-contracts';
import { CaseFileError } from './cases.ts';
import { lookAtAll, photoCases } from './photo-cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'photo-cases-'));
afterAll(() => rmSync(folder, { recursive: true }));

for (const name of ['glass', 'jars', 'notes']) mkdirSync(join(folder, name));
for (let index = 0; index < 10; index += 1) writeFileSync(join(folder, 'glass', `${index}.jpg`), `glass ${index}`);
writeFileSync(join(folder, 'jars', 'a.PNG'), 'jar');
writeFileSync(join(folder, 'jars', 'readme.txt'), '');

test('a class is told by its folder or by classes.json, and of many photos some are taken evenly', () => {
  expect(() => photoCases(folder)).toThrow(CaseFileError);
  expect(() => photoCases(folder)).toThrow(/there is no bin or stream "jars"/);
  writeFileSync(join(folder, 'classes.json'), '{"jars":["glass","general"]}');
  const cases = photoCases(folder, 3);
  expect(cases.map(({ expected }) => expected.id)).toEqual(['glass/0.jpg', 'glass/4.jpg', 'glass/7.jpg', 'jars/a.PNG']);
  expect(cases[3]?.expected.expect.destinations).toHaveLength(2);
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
  const { cases, usage, materials } = await lookAtAll(photoCases(folder, 3), engine, options);
  expect(cases.map(({ classification }) => classification.item_name)).toEqual(['glass 0', 'glass 4', 'glass 7', 'jar']);
  expect(usage).toEqual({ input_tokens: 8, output_tokens: 4, cost_usd: 2 });
  // It tells no materials.
  expect(materials).toEqual({ right: 0, of: 0 });
});

test('folders of materials need no table, and the materials that an engine tells are counted', async () => {
  const photos = mkdtempSync(join(tmpdir(), 'photo-materials-'));
  try {
    for (const name of ['carton', 'plastic-other', 'wood']) {
      mkdirSync(join(photos, name));
      writeFileSync(join(photos, name, '1.jpg'), '');
    }
    const found = photoCases(photos);
    expect(found.map(({ material, expected }) => [material, expected.expect.destinations.length])).toEqual([
      ['carton', 1],
      ['plastic', 2],
      ['wood', 2],
    ]);
    const usage = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };
    const look = async () =>
      await Promise.resolve({ classification: {} as unknown as Classification, usage, material: 'plastic' });
    const options = { concurrency: 1, signal: new AbortController().signal };
    expect((await lookAtAll(found, { look }, options)).materials).toEqual({ right: 1, of: 3 });
  } finally {
    rmSync(photos, { recursive: true });
  }
});
