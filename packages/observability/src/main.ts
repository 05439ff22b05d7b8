// `npm run observability`: writes the dashboards and the alerts into the chart.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { generatedFiles } from './generated-files.ts';

const helm = new URL('../../../helm/', import.meta.url);
const files = new URL('bunri/files/', helm);

const generated = generatedFiles(await readFile(new URL('RUNBOOK.md', helm), 'utf8'));
for (const folder of ['dashboards/', 'alerts/']) {
  // What is no longer generated must not stay.
  await rm(new URL(folder, files), { recursive: true, force: true });
  await mkdir(new URL(folder, files), { recursive: true });
}
for (const [path, content] of generated) await writeFile(new URL(path, files), content);
process.stdout.write(`${generated.size} files in helm/bunri/files\n`);
