// `npm run eval:local -- <folder of class folders> --json`: how good the shipped head is on photos that it has never seen.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadFeatureExtractor } from './features.ts';
import { logitsOf, readHead } from './head.ts';
import { labelledPhotos, PhotoFolderError, withFeatures } from './photo-folder.ts';
import { evaluationReport } from './report.ts';
import { softmax } from './logistic.ts';

const shipped = fileURLToPath(new URL('../head/materials.json', import.meta.url));
const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { head: { type: 'string', default: shipped }, json: { type: 'boolean', default: false } },
  });
  const [folder, ...more] = positionals;
  if (folder === undefined || more.length > 0) {
    say('Usage: npm run eval:local -- <folder of class folders> [--head FILE] [--json]');
    process.exitCode = 2;
    return;
  }
  const { file, weights } = readHead(values.head);
  const photos = labelledPhotos(folder);
  const unknown = [...new Set(photos.map(({ material }) => material))].filter((name) => !file.classes.includes(name));
  if (unknown.length > 0) {
    say(`The head does not know ${unknown.join(', ')}; its materials are ${file.classes.join(', ')}.`);
    process.exitCode = 2;
    return;
  }
  const extractor = await loadFeatureExtractor();
  const choices = (await withFeatures(photos, async (photo) => await extractor.extract(photo), say)).map(
    ({ material, features }) => {
      const probabilities = softmax(logitsOf(features, weights, file.bias), file.temperature);
      const confidence = Math.max(...probabilities);
      const [label, chosen] = [file.classes.indexOf(material), probabilities.indexOf(confidence)];
      return { label, chosen, confidence, isRight: label === chosen };
    },
  );
  const report = evaluationReport(choices, file.classes);
  process.stdout.write(
    values.json ? `${JSON.stringify({ head: file.version, ...report }, null, 2)}\n` : `${report.text}\n`,
  );
}

try {
  await main();
} catch (error) {
  if (!(error instanceof PhotoFolderError)) throw error;
  say(error.message);
  process.exitCode = 2;
}
