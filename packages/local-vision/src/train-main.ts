// `npm run train:local -- <folder of class folders>`: trains the head of the local vision engine.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { backbonePackages } from './backbone-packages.ts';
import { loadFeatureExtractor } from './features.ts';
import { labelledPhotos, PhotoFolderError, withFeatures } from './photo-folder.ts';
import { trainingReport } from './report.ts';
import { headContent, train } from './train.ts';

const shipped = fileURLToPath(new URL('../head/materials.json', import.meta.url));
const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: shipped },
      version: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length > 0) {
    say('Usage: npm run train:local -- <folder of class folders> [--out FILE] [--version NAME] [--json]');
    process.exitCode = 2;
    return;
  }
  const extractor = await loadFeatureExtractor();
  const samples = await withFeatures(labelledPhotos(folder), async (photo) => await extractor.extract(photo), say);
  const trained = train(samples, { regularisation: 1e-5, folds: 5, leaveOut: true, say });
  const date = new Date().toISOString().slice(0, 10);
  const backbones = extractor.backbones.map(({ id, checksum }) => ({
    id,
    package: backbonePackages[id].package,
    checksum,
  }));
  const head = headContent(trained, { version: values.version ?? date, backbones, date, samples });
  writeFileSync(values.out, `${JSON.stringify(head, null, 1)}\n`);
  const report = trainingReport(trained, samples.length);
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `${report.text}\n`);
  say(`written to ${values.out}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof PhotoFolderError)) throw error;
  say(error.message);
  process.exitCode = 2;
}
